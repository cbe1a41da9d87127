/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The load balancer's programs: from_client and from_backend sit on the ingress
 * of its two links, table_apply, table_heal, table_remove and table_check are run by user space.
 *
 * A packet has one of three fates: it is the host's (TCX_NEXT), it is forwarded
 * translated, or it is dropped and counted. What concerns a VIP is never the
 * host's: without a socket there its stack would answer RST.
 */
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <stddef.h>
#include <bpf/bpf_helpers.h>

#include "conntrack.h"
#include "fragment.h"
#include "hop.h"
#include "icmp.h"
#include "nat.h"
#include "open.h"
#include "refusal.h"
#include "reset.h"
#include "resolve.h"
#include "strict.h"
#include "table.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Drivers may leave headers outside the linear part, which is all that direct access reaches. */
static __always_inline void pull_headers(struct __sk_buff *skb)
{
	__u32 linear = skb->data_end - skb->data;

	if (linear < HEADERS_MAX && linear < skb->len)
		bpf_skb_pull_data(skb, skb->len < HEADERS_MAX ? skb->len : HEADERS_MAX);
}

/* Reads the packet, and says why one of a VIP is to be dropped, or DROP_NONE. */
static __always_inline enum drop parse_packet(struct __sk_buff *skb, struct packet *pkt)
{
	enum drop reason = parse_transport(skb, pkt);

	if (skb->pkt_type != PACKET_HOST)
		return DROP_MALFORMED;
	return reason == DROP_NONE ? check_header(skb) : reason;
}

/* Hop is what current_hop has said, or 0. A flow that a packet has opened has nothing
 * remembered yet: most are short. */
static __always_inline int forward(struct __sk_buff *skb, const struct packet *pkt, const struct tuple *to, __u64 hop,
				   enum direction direction)
{
	if (pkt->more) {
		if (!remember_datagram(skb, pkt, to, direction))
			return drop(DROP_FRAGMENT);
		count_fragment();
	}
	if (!translate(skb, pkt, to))
		return drop(DROP_MALFORMED);
	count_forwarded(skb, direction);
	return leave(skb, hop, direction);
}

static __always_inline struct service *find_service(const struct tuple *original)
{
	struct service_key key = { .vip = original->dst, .port = original->dport, .proto = original->proto };

	return bpf_map_lookup_elem(&services, &key);
}

static __always_inline __u32 meaning_of(const ip_addr *addr)
{
	__u32 *meaning = bpf_map_lookup_elem(&addresses, addr);

	return meaning ? *meaning : 0;
}

/* A packet from a client to a service. */
static __always_inline int original_direction(struct __sk_buff *skb, const struct packet *pkt, struct conn *conn,
					      __u32 id, __u64 hop)
{
	__u16 stamp = hop_stamp(pkt->now);
	struct service *svc = NULL;
	struct tuple reply = {}, to;
	enum drop reason;
	bool follows = conn && !reopens(word_of(conn), pkt);

	if (!hop || !follows) {
		svc = find_service(&pkt->tuple);
		if (!svc)
			return drop(DROP_NO_SERVICE);
	}
	if (follows) {
		reply = conn->reply;
		if (!has_id(word_of(conn), id))
			return drop(DROP_MISS);
		track(conn, &pkt->tuple, id, pkt, ORIGINAL);
	} else {
		if (meaning_of(&pkt->tuple.src) & (ADDR_VIRTUAL | ADDR_OWN | ADDR_BROADCAST))
			return drop(DROP_SOURCE);
		reason = open_flow(pkt, svc, conn, &reply);
		if (reason != DROP_NONE)
			count_refused(&pkt->tuple, reason);
		if (reason == DROP_NO_BACKEND)
			return turn_away(skb, pkt, svc);
		if (reason != DROP_NONE)
			return drop(reason);
	}
	to = reversed(&reply);
	if (follows && !hop)
		remember_hop(skb, conn, stamp, &to, ORIGINAL);
	return forward(skb, pkt, &to, hop, ORIGINAL);
}

/* A packet from a backend; original is what its tuple is the reply to. */
static __always_inline int reply_direction(struct __sk_buff *skb, const struct packet *pkt, struct conn *conn,
					   const struct tuple *original, __u32 id, __u64 hop)
{
	__u16 stamp = hop_stamp(pkt->now);
	struct tuple to;

	if (!conn)
		return drop(DROP_MISS);
	if (!hop && !find_service(original))
		return drop(DROP_NO_SERVICE);
	if (is_unearned(conn, pkt))
		return drop(DROP_UNCONFIRMED);
	track(conn, original, id, pkt, REPLY);
	to = reversed(original);
	if (!hop)
		remember_hop(skb, conn, stamp, &to, REPLY);
	return forward(skb, pkt, &to, hop, REPLY);
}

/* An error that comes in a direction. */
static __noinline int error_of_flow(struct __sk_buff *skb, const struct packet *pkt, const struct conn *conn,
				    const struct tuple *original, enum direction direction)
{
	struct tuple to;

	if (!conn || !original)
		return drop(DROP_ICMP);
	if (!find_service(original))
		return drop(DROP_NO_SERVICE);
	to = reversed(direction == ORIGINAL ? &conn->reply : original);
	return forward_error(skb, pkt, conn, &to, direction);
}

/* What ends here although it is of a flow: it has gone too far, or is too big for the
 * link by which it would leave. */
static __always_inline bool is_too_big(struct __sk_buff *skb, enum direction direction, __u32 *mtu)
{
	__u32 ifindex = direction == ORIGINAL ? backend_ifindex : client_ifindex;

	return bpf_check_mtu(skb, ifindex, mtu, 0, BPF_MTU_CHK_SEGS) > 0;
}

static __always_inline int expire(struct __sk_buff *skb, const struct packet *pkt)
{
	if (!pkt->ttl) /* was never to be sent */
		return drop(DROP_TTL);
	return refuse(skb, pkt, DROP_TTL, 0);
}

/* What a flow has a hop for was found to be balanced. */
static __always_inline int client_ip(struct __sk_buff *skb)
{
	struct packet *pkt = TAKE_ROOM(struct packet, packet);
	struct conn *conn = NULL;
	enum drop reason;
	__u32 id = 0, mtu = 0;
	__u64 hop = 0;

	if (!pkt)
		return TCX_DROP;
	pkt->now = now();
	if (!parse_addresses(skb, pkt))
		return TCX_NEXT;
	reason = parse_packet(skb, pkt);
	if (reason == DROP_NONE && pkt->has_ports) {
		id = flow_id(&pkt->tuple);
		conn = find_conn_of(&pkt->tuple, id);
		hop = conn ? current_hop(conn, pkt, ORIGINAL) : 0;
	}
	if (!hop && !(meaning_of(&pkt->tuple.dst) & ADDR_VIRTUAL))
		return TCX_NEXT;
	if (!lease_holds(pkt->now))
		return drop(DROP_NO_LEASE);
	if (reason != DROP_NONE)
		return drop(reason);
	if (pkt->kind == KIND_ECHO)
		return answer_echo(skb, pkt);
	if (pkt->ttl <= 1)
		return expire(skb, pkt);
	if (is_too_big(skb, ORIGINAL, &mtu))
		return refuse(skb, pkt, DROP_TOO_BIG, mtu);
	if (pkt->kind == KIND_ERROR)
		return error_of_flow(skb, pkt, conn, &pkt->tuple, ORIGINAL);
	if (pkt->kind == KIND_FRAGMENT)
		return later_fragment(skb, pkt->fragment_off, ORIGINAL);
	return original_direction(skb, pkt, conn, id, hop);
}

static __always_inline bool from_dnat_backend(const struct packet *pkt)
{
	struct backend_key key = { .addr = pkt->tuple.src, .port = pkt->tuple.sport, .proto = pkt->tuple.proto };

	return bpf_map_lookup_elem(&dnat_backends, &key);
}

/* A fragment of a datagram whose first is a reply. */
static __noinline bool continues_reply(struct __sk_buff *skb, const struct packet *pkt)
{
	struct fragment_key key = {};

	return read_key(skb, pkt->fragment_off, &key) && find_datagram(&key, pkt->now, REPLY);
}

static __always_inline bool is_of_backend(struct __sk_buff *skb, const struct packet *pkt, const struct tuple *original)
{
	__u32 meaning = meaning_of(&pkt->tuple.dst);

	if (meaning & ADDR_OWN)
		return false;
	if (pkt->kind == KIND_FRAGMENT && !(meaning & ADDR_VIRTUAL))
		return continues_reply(skb, pkt);
	return (meaning & ADDR_VIRTUAL) || original || (pkt->has_ports && from_dnat_backend(pkt));
}

/* Replies come to the SNAT address or, in dnat mode, straight to the client. The
 * latter are known by their tuple or, without an entry, by their sender. */
static __always_inline int backend_ip(struct __sk_buff *skb)
{
	struct packet *pkt = TAKE_ROOM(struct packet, packet);
	struct tuple *original = NULL;
	struct conn *conn = NULL;
	enum drop reason;
	__u32 id = 0, mtu = 0;
	__u64 hop = 0;

	if (!pkt)
		return TCX_DROP;
	pkt->now = now();
	if (!parse_addresses(skb, pkt))
		return TCX_NEXT;
	reason = parse_packet(skb, pkt);
	if (pkt->has_ports)
		original = bpf_map_lookup_elem(&replies, &pkt->tuple);
	if (original && reason == DROP_NONE) {
		id = flow_id(original);
		conn = find_conn_of(original, id);
		if (conn && !same_tuple(&conn->reply, &pkt->tuple))
			conn = NULL;
		hop = conn ? current_hop(conn, pkt, REPLY) : 0;
	}
	if (!hop && !is_of_backend(skb, pkt, original))
		return TCX_NEXT;
	if (!lease_holds(pkt->now))
		return drop(DROP_NO_LEASE);
	if (reason != DROP_NONE)
		return drop(reason);
	if (pkt->kind == KIND_ECHO)
		return answer_echo(skb, pkt);
	if (pkt->ttl <= 1)
		return expire(skb, pkt);
	if (is_too_big(skb, REPLY, &mtu))
		return refuse(skb, pkt, DROP_TOO_BIG, mtu);
	if (pkt->kind == KIND_ERROR)
		return error_of_flow(skb, pkt, conn, original, REPLY);
	if (pkt->kind == KIND_FRAGMENT)
		return later_fragment(skb, pkt->fragment_off, REPLY);
	return reply_direction(skb, pkt, conn, original, id, hop);
}

/* Frames that a switch flooded for somebody else, and VLANs, are not ours. */
static __always_inline bool for_this_host(struct __sk_buff *skb)
{
	return skb->pkt_type != PACKET_OTHERHOST && !skb->vlan_present;
}

SEC("tcx/ingress")
int from_client(struct __sk_buff *skb)
{
	if (!for_this_host(skb))
		return TCX_NEXT;
	pull_headers(skb);
	if (is_resolution(skb))
		return resolve(skb, ADDR_ANSWER_CLIENT, client_mac);
	return skb->protocol == bpf_htons(ETHERTYPE) ? client_ip(skb) : TCX_NEXT;
}

SEC("tcx/ingress")
int from_backend(struct __sk_buff *skb)
{
	if (!for_this_host(skb))
		return TCX_NEXT;
	pull_headers(skb);
	if (is_resolution(skb))
		return resolve(skb, ADDR_ANSWER_BACKEND, backend_mac);
	return skb->protocol == bpf_htons(ETHERTYPE) ? backend_ip(skb) : TCX_NEXT;
}

SEC("syscall")
int table_apply(struct batch_args *args)
{
	struct batch_args work = *args;

	bpf_loop(work.count, apply_record, &work, 0);
	args->done = work.done;
	return 0;
}

/* Writes entries in place of those that are damaged or missing. */
SEC("syscall")
int table_heal(struct batch_args *args)
{
	struct batch_args work = *args;

	bpf_loop(work.count, heal_record, &work, 0);
	args->done = work.done;
	return 0;
}

SEC("syscall")
int table_remove(struct batch_args *args)
{
	struct batch_args work = *args;

	bpf_loop(work.count, remove_record, &work, 0);
	args->done = work.done;
	return 0;
}

/* Tells which entries are sound. */
SEC("syscall")
int table_check(struct batch_args *args)
{
	struct batch_args work = *args;

	bpf_loop(work.count, check_record, &work, 0);
	args->done = work.done;
	return 0;
}
