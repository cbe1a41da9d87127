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
#define PREFIXES_MAX 32 /* more than a range of ports splits into */
#define FRAGMENTS_MAX 4096

const volatile __u32 client_ifindex;
const volatile __u32 backend_ifindex;
const volatile __u16 snat_first; /* host byte order */
const volatile __u32 snat_count;
const volatile __u64 snat_seed;
const volatile bool fake_clock; /* tests set the time */
const volatile bool drop_echo;	/* echo requests to a VIP are not answered */
const volatile bool defer_replies; /* see defer.h */
const volatile __u32 icmp_rate; /* approximate limit of the family's errors per second */

/* Not constant: a link may get another hardware address. */
volatile __u8 client_mac[6];
volatile __u8 backend_mac[6];
volatile bool limited; /* a service has limits */
volatile bool ranged;  /* a service has a range of ports */
volatile __u8 peer_client_mac[6]; /* all zero if unknown */
volatile __u8 peer_backend_mac[6];
volatile __s64 relay_until; /* without a lease, packets of a VIP are sent on to the peer until then */
volatile __u32 generation; /* of the services: what packets know of older ones is void */

/* The connection table: original tuple to flow. A plain hash: an LRU map would
 * evict one direction of a flow without the other. Preallocated, here and in
 * replies: a flood of SYNs then cannot run into failing allocations, and entries go
 * in two to four times as fast, for 240 bytes a flow of capacity. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 20);
	__type(key, struct tuple);
	__type(value, struct conn);
} conns SEC(".maps");

/* Reply tuple to original tuple. An entry here is also the reservation of its SNAT port. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 20);
	__type(key, struct tuple);
	__type(value, struct tuple);
} replies SEC(".maps");

/* Datagrams whose fragments are on their way. User space removes those that have expired. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FRAGMENTS_MAX);
	__type(key, struct fragment_key);
	__type(value, struct fragments);
} fragments SEC(".maps");

/* Twice the number of services: new ones come before the old ones go. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * SERVICES_MAX);
	__type(key, struct service_key);
	__type(value, struct service);
} services SEC(".maps");

/* Ranges of ports, whose services are below their keys in services. */
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

/* Of services that have limits. Not preallocated: without limits it costs nothing, and a source
 * for which there is no memory goes without. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 20);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct count_key);
	__type(value, struct flow_count);
} flow_counts SEC(".maps");

/* BTF omits types that are used through pointers only. These variables keep them, for the
 * loader and the Go bindings. */
const struct backend *btf_backend __attribute__((unused));
const struct batch_args *btf_batch_args __attribute__((unused));
const struct load *btf_load __attribute__((unused));

/* A service's backends: one entry each for round robin, a lookup table for
 * Maglev. Tables differ in size, hence the inner map flag; user space writes them through
 * their memory. */
struct backend_table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct backend);
};

/* Twice the number of services, again: a new table is written beside the one in use. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2 * SERVICES_MAX);
	__type(key, __u32);
	__array(values, struct backend_table);
} backend_tables SEC(".maps");

/* The loads of the backends of a service that least-conn balances, in the places of
 * backend_tables and in the order of the backends there. */
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

/* Those of services with ranges of ports. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 16384 * PREFIXES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct port_key);
	__type(value, __u32);
} dnat_ranges SEC(".maps");

/* Of services with affinity, old ones and new ones. */
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

/* What table operations work on; mapped into user space's memory. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, BATCH_MAX);
	__type(key, __u32);
	__type(value, struct record);
} batch SEC(".maps");
