/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The data that the programs share with user space: keys and values of the maps, flow events,
 * records of the batch buffer. Addresses and ports are in network byte order. Instants are
 * nanoseconds of CLOCK_BOOTTIME.
 *
 * The programs are compiled once for each family. The folders ipv4 and ipv6 hold the
 * differences in files of the same names; the include path selects one folder.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

/* sys/socket.h pulls in the C library's headers, which are not for this target. */
#define AF_INET 2
#define AF_INET6 10

#include "addr.h"
#include "addr6.h"

/* One direction of a flow, as in a packet. The padding is always zero, because it is part
 * of a map key. */
struct tuple {
	ip_addr src;
	ip_addr dst;
	__be16 sport;
	__be16 dport;
	__u8 proto;
	__u8 pad[3];
};

static __always_inline bool same_tuple(const struct tuple *a, const struct tuple *b)
{
	return same_addr(&a->src, &b->src) && same_addr(&a->dst, &b->dst) && a->sport == b->sport && a->dport == b->dport &&
	       a->proto == b->proto;
}

static __always_inline struct tuple reversed(const struct tuple *t)
{
	struct tuple r = { .src = t->dst, .dst = t->src, .sport = t->dport, .dport = t->sport, .proto = t->proto };

	return r;
}

/* The values of baton/impl/flow.State. */
enum state {
	STATE_DEAD = 0, /* being removed: treat as absent */
	STATE_SYN_SENT,
	STATE_ESTABLISHED,
	STATE_FIN_WAIT,
	STATE_CLOSED,
	STATE_UNREPLIED,
	STATE_ASSURED,
};

/* The values of baton/impl/flow.Origin. */
enum origin {
	ORIGIN_OPENED = 1,
	ORIGIN_SYNCED,
	ORIGIN_ADOPTED,
};

/* A conn's word holds its state, what the state's next move depends on, and whose
 * it is, so that one compare-and-swap moves them together:
 *
 *	bits 0-7	state
 *	bits 8-13	the flags below; those of a direction are shifted by it
 *	bits 14-15	origin
 *	bits 16-31	changes of the word so far: no swap mistakes a word for an earlier one
 *	bits 32-63	flow_id of the original tuple
 */
#define WORD_STATE_MASK 0xffull
#define WORD_REPLY_SEEN (1ull << 8) /* the backend has answered the SYN */
#define WORD_REOPENING (1ull << 9)  /* a packet is about to replace the entry: do not change it */
#define WORD_FIN (1ull << 10)	    /* a FIN was sent in that direction */
#define WORD_EXPECTS (1ull << 12)   /* conn.expected of that direction is known */
#define WORD_ORIGIN_SHIFT 14
#define WORD_ORIGIN_MASK (3ull << WORD_ORIGIN_SHIFT)
#define WORD_CHANGE (1ull << 16)
#define WORD_CHANGES_MASK (0xffffull << 16)
#define WORD_ID_SHIFT 32

/* One flow. Its key in conns is the original tuple. replies maps the reply tuple to the
 * original tuple, so the state is stored once; a direct flow is in conns alone. The kernel reuses the memory of a removed
 * entry at once, even while a program still holds a pointer to it, and writes it from the
 * start. So the word comes first and identifies the flow. With the kernel's header and the
 * key, an IPv4 entry fills a cache line. */
struct conn {
	__u64 word;
	struct tuple reply;
	__s64 last_seen; /* signed: a lifetime carried over from a peer may have begun before this host's boot */
	__u32 expected[2]; /* by direction: the sequence number that its receiver expects next */
	__u32 acked[2];	   /* by direction: the last acknowledgement of its receiver; known if expected is */
	__u64 hop[2];	   /* by direction: see hop.h */
};

#define SPANS_MAX 8

/* How a packet leaves towards the backend. */
enum leaving {
	TRANSLATED,
	UNCHANGED,    /* only its Ethernet addresses name the backend */
	ENCAPSULATED, /* unchanged inside an outer header */
};

/* Bytes of a datagram, from the first to before the last. Empty if both are 0. */
struct span {
	__u32 from;
	__u32 to;
};

/* A datagram whose first fragment has passed: how to translate the others, and the received
 * spans. Adjacent fragments share a span. */
struct fragments {
	__s64 expires;
	struct bpf_spin_lock lock;
	datagram_id id; /* the id of the forwarded fragments */
	__u8 direction;
	__u8 leaving; /* of enum leaving; unless translated, dst is the backend */
	FRAGMENTS_PADDING
	ip_addr src;
	ip_addr dst;
	struct span spans[SPANS_MAX];
};

struct service_key {
	ip_addr vip;
	__be16 port;
	__be16 last; /* last port of a range that starts with port; 0 for a single port */
	__u8 proto;
	__u8 pad[3];
};

/* A prefix of the ports of an address. */
struct port_key {
	__u32 bits; /* length of all that follows */
	ip_addr addr;
	__u8 proto;
	__u8 pad;
	__be16 port;
};

#define PORT_KEY_BITS (8 * (sizeof(struct port_key) - sizeof(__u32)))

/* The values of baton/impl/dataplane.Mode and Balance. */
enum mode {
	MODE_FULLNAT = 1,
	MODE_DNAT,
	MODE_DSR_L2,
	MODE_DSR_IPIP,
};

enum balance {
	BALANCE_ROUND_ROBIN = 1,
	BALANCE_MAGLEV,
	BALANCE_LEAST_CONN,
};

/* Flows of a service, or of one source of it; see limits.h. */
struct flow_count {
	__s32 flows;
	__s32 embryonic;
};

/* A source of zero stands for all flows of a service: no packet has that source. */
struct count_key {
	ip_addr source;
	ip_addr vip;
	__be16 port; /* as in the service's key, like the members below */
	__be16 last;
	__u8 proto;
	__u8 pad[3];
};

#define SNAT_MAX 16 /* a power of two: the verifier can bound a mask */

struct service {
	ip_addr snat[SNAT_MAX];
	__u32 table; /* index into backend_tables */
	__u32 size;  /* entries of that table; 0 means no backend */
	__u32 next;  /* position of round robin and, among equals, of least-conn */
	__u8 mode;
	__u8 balance;
	bool affine; /* a client's flows go to one backend, see affinity.h */
	bool refuse; /* refuse a new flow with an answer if there is no backend */
	__u8 addresses; /* used elements of snat */
	bool limited;	/* at least one limit is set */
	__u8 overhead;	/* length of the outer header of new flows' packets; 0 without one */
	__u8 pad;
	__be16 port;	/* as in the service's key, like the members below */
	__be16 last;
	__be16 own; /* stands for all ports of a range in an affinity */
	__be16 pad2;
	struct flow_count limit;	/* of the service; 0 is none */
	struct flow_count source_limit; /* of each source */
	__u32 challenge; /* embryonic flows from which on sources are challenged; 0 is never */
};

/* New flows of a service that were dropped, see refusal.h. */
struct refusals {
	__u64 no_backend;
	__u64 no_port;
	__u64 table_full;
	__u64 service_limit;
	__u64 source_limit;
	__u64 challenged;
};

struct backend {
	ip_addr addr;
	__be16 port; /* 0 is the port to which a packet of a range is sent */
	__u8 pad[2];
};

/* The flows of a backend for least-conn. User space counts them about once a second. In
 * between a new flow adds one; an ended flow is subtracted by the next count. */
struct load {
	__u32 flows;
	__u32 weight;
};

/* A backend that gets new flows of the service with that index into backend_tables. */
struct member_key {
	ip_addr addr;
	__u32 table;
	__be16 port;
	__u8 pad[2];
};

/* A backend of a dnat service as the source of its replies. */
struct backend_key {
	ip_addr addr;
	__be16 port;
	__u8 proto;
	__u8 pad;
};

/* The roles of an address on this node; values of the map addresses. */
#define ADDR_ANSWER_CLIENT (1u << 0)  /* answer its ARP or NDP on the client link */
#define ADDR_ANSWER_BACKEND (1u << 1) /* answer its ARP or NDP on the backend link */
#define ADDR_VIRTUAL (1u << 2)	      /* a VIP: its packets never reach the host's stack */
#define ADDR_OWN (1u << 3)	      /* the host's own address: its packets always reach the host's stack */
#define ADDR_BROADCAST (1u << 4)      /* the broadcast address of one of the host's networks */
#define ADDR_BACKEND (1u << 5)	      /* a backend of a service, which may be a client too */

/* Control data that user space changes while packets flow, through mapped memory. */
struct control {
	__s64 lease_expiry;
	__s64 fake_now; /* the time if the programs were loaded with fake_clock */
	__u32 miss;     /* of enum miss */
	__u32 pad;
};

/* The values of baton/impl/dataplane.MissPolicy. */
enum miss {
	MISS_DROP,
	MISS_ADOPT,
	MISS_GUESS,
};

/* The values of baton/impl/dataplane.Drop. */
enum drop {
	DROP_NONE = -1,
	DROP_NO_LEASE,
	DROP_MISS,
	DROP_NO_SERVICE,
	DROP_NO_BACKEND,
	DROP_NO_PORT,
	DROP_TABLE_FULL,
	DROP_MALFORMED,
	DROP_FRAGMENT,
	DROP_OTHER_PROTO,
	DROP_ICMP,
	DROP_ICMP_FORGED,
	DROP_TTL,
	DROP_TOO_BIG,
	DROP_SOURCE,
	DROP_CHECKSUM,
	DROP_SOURCE_ROUTE,
	DROP_UNCONFIRMED,
	DROP_FRAGMENT_OVERLAP,
	DROP_SERVICE_LIMIT,
	DROP_SOURCE_LIMIT,
	DROP_RELAYED,
	DROP_CHALLENGED,
	DROP_VALIDATED,
	DROP_NO_CHALLENGE,
	DROP_TUNNEL,
	DROP_KINDS,
};

#define DROP_SLOTS 32 /* a power of two: the verifier can bound a mask */

enum direction {
	ORIGINAL, /* client to backend */
	REPLY,
};

/* Why XDP leaves a packet of a VIP to the TCX program; values of baton/impl/dataplane.Left. */
enum left {
	LEFT_NEW,	/* without an entry, or replacing one */
	LEFT_NEIGHBOUR, /* its neighbour is unknown, or the kernel must learn that it is in use */
	LEFT_CHECKSUM,	/* the sender left its checksum to the kernel */
	LEFT_OTHER,	/* a fragment, ICMP, a packet that is too big or dropped */
	LEFT_KINDS,
};

#define LEFT_SLOTS 4

struct counters {
	__u64 forwarded[2]; /* by direction */
	__u64 bytes[2];
	__u64 created;
	__u64 adopted;
	__u64 arp_replies; /* ARP replies and neighbour advertisements */
	__u64 dropped[DROP_SLOTS];
	__u64 events_lost;
	__u64 unproven;
	__u64 echo_replies;
	__u64 fragments;   /* of forwarded */
	__u64 icmp_errors; /* sent to the sender of a packet that was dropped */
	__u64 resets;	   /* sent to clients for which no backend serves */
	__u64 fast[2];	   /* of forwarded: by XDP */
	__u64 left[LEFT_SLOTS];
	__u64 relayed;	   /* relayed to the peer */
	__u64 deferred;	   /* replies passed to user space, see defer.h */
	__u64 undeferred;  /* forwarded at once instead: too large, or no room in the ring */
};

struct event {
	struct tuple original;
	struct tuple reply;
	__u8 state;
	__u8 origin;
	__u8 pad[6];
};

/* A record of the batch buffer: one entry of a table operation. */
struct record {
	struct tuple original;
	struct conn conn;
};

/* The records of a batch that take effect. */
enum condition {
	NO_CONDITION,	  /* all */
	APPLY_MISSING,	  /* records of which the table has neither tuple */
	REMOVE_UNCHANGED, /* records whose entry is unchanged */
	REMOVE_DAMAGED,	  /* records whose entry is damaged */
};

/* The context of the table programs. */
struct batch_args {
	__u32 count;	 /* in: number of records in the batch buffer */
	__u32 done;	 /* out: records that took effect */
	__u32 condition; /* in: of enum condition */
	__u32 pad;
};
