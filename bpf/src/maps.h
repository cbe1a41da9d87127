/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The maps and the constants that the loader fills in.
 */
#pragma once

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "types.h"

#define BATCH_MAX 4096
#define SERVICES_MAX 256
#define PREFIXES_MAX 32 /* more than a range of ports is split into */
#define FRAGMENTS_MAX 4096
#define VALIDATED_MAX 65536 /* baton/impl/dataplane.MaxValidated */

const volatile __u32 client_ifindex;
const volatile __u32 backend_ifindex;
const volatile __u16 snat_first; /* host byte order */
const volatile __u32 snat_count;
const volatile __u16 snat_peer_first; /* the same of the peer */
const volatile __u32 snat_peer_count; /* 0: its flows cannot be resumed */
const volatile __u64 snat_seed;
const volatile bool snat_turns; /* services other than maglev's take their ports in turn, see claim.h */
const volatile __u64 datagram_seed; /* the first id of datagrams with fragments */
const volatile __u64 challenge_key[2]; /* see challenge.h */
const volatile bool fake_clock; /* tests set the time */
const volatile bool drop_echo;	/* echo requests to a VIP are not answered */
const volatile bool defer_replies; /* see defer.h */
const volatile __u32 icmp_rate; /* approximate limit of the family's errors per second */

/* Not constants: a link's hardware address may change. */
volatile __u8 client_mac[6];
volatile __u8 backend_mac[6];
volatile bool limited; /* a service has limits */
volatile bool ranged;  /* a service has a range of ports */
volatile bool encapsulates; /* a service does, of either family */
volatile __be32 tunnel_source4; /* sources of outer headers, see tunnel.h; fragments still need them when no service does */
volatile ip6_addr tunnel_source6;
volatile __u8 peer_client_mac[6]; /* all zero if unknown */
volatile __u8 peer_backend_mac[6];
volatile __s64 relay_until; /* until then, packets of a VIP without a lease are relayed to the peer */
volatile __u32 generation; /* of the services: lookups of older generations are void */

static __always_inline void read_tunnel_source6(ip6_addr *to)
{
	for (int i = 0; i < 4; i++)
		to->word[i] = tunnel_source6.word[i];
}

/* The connection table: original tuple to flow. A plain hash, because an LRU map would evict
 * one direction of a flow without the other. It and replies are preallocated: allocations
 * cannot fail under a SYN flood, and inserts are two to four times as fast, for 240 bytes
 * per flow of capacity. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 20);
	__type(key, struct tuple);
	__type(value, struct conn);
} conns SEC(".maps");

/* Reply tuple to original tuple. An entry also reserves its SNAT port. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 20);
	__type(key, struct tuple);
	__type(value, struct tuple);
} replies SEC(".maps");

/* Datagrams with fragments in flight. User space removes expired ones. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FRAGMENTS_MAX);
	__type(key, struct fragment_key);
	__type(value, struct fragments);
} fragments SEC(".maps");

/* Twice the number of services, because new ones are added before old ones are removed. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * SERVICES_MAX);
	__type(key, struct service_key);
	__type(value, struct service);
} services SEC(".maps");

/* Ranges of ports. The values are keys of services. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 2 * SERVICES_MAX * PREFIXES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct port_key);
	__type(value, struct service_key);
} ranges SEC(".maps");

/* One for each service. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * SERVICES_MAX);
	__type(key, struct service_key);
	__type(value, struct refusals);
} refusals SEC(".maps");

/* For services with limits. Not preallocated, so that it costs nothing without limits. A
 * source for which there is no memory is not counted. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 20);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct count_key);
	__type(value, struct flow_count);
} flow_counts SEC(".maps");

/* Sources that have answered a challenge, and until when they need not answer another one. An
 * LRU map, because a source that is forgotten is only challenged again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, VALIDATED_MAX);
	__type(key, struct count_key);
	__type(value, __s64);
} validated SEC(".maps");

/* BTF omits types that are only used through pointers. These variables keep them for the
 * loader and the Go bindings. */
const struct backend *btf_backend __attribute__((unused));
const struct batch_args *btf_batch_args __attribute__((unused));
const struct load *btf_load __attribute__((unused));

/* A service's backends: one entry each for round robin, a lookup table for Maglev. Tables
 * differ in size, hence the inner map flag. User space writes them through mapped memory. */
struct backend_table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct backend);
};

/* Twice the number of services: a new table is written beside the one in use. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2 * SERVICES_MAX);
	__type(key, __u32);
	__array(values, struct backend_table);
} backend_tables SEC(".maps");

/* The loads of the backends of a service with least-conn, at the same index as in
 * backend_tables and in the same order. */
struct load_table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct load);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2 * SERVICES_MAX);
	__type(key, __u32);
	__array(values, struct load_table);
} load_tables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct backend_key);
	__type(value, __u32);
} dnat_backends SEC(".maps");

/* The backends of services with ranges of ports. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 16384 * PREFIXES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct port_key);
	__type(value, __u32);
} dnat_ranges SEC(".maps");

/* For services with affinity, old and new ones. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct member_key);
	__type(value, __u32);
} members SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, ip_addr);
	__type(value, __u32);
} addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct control);
} control SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} events SEC(".maps");

/* The memory of table operations, mapped into user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, BATCH_MAX);
	__type(key, __u32);
	__type(value, struct record);
} batch SEC(".maps");
