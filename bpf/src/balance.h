/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The choice of a backend for a new flow.
 */
#pragma once

#include "hash.h"
#include "maps.h"

/* A search for the backend with the fewest flows per weight, counting the new flow. */
struct least {
	void *loads;
	__u32 size;
	__u32 first; /* the slot where it begins */
	__u32 slot;  /* of the best backend so far; the members below too */
	__u32 weight; /* 0 before the first */
	__u64 flows;
};

static long compare_load(__u32 i, void *context)
{
	struct least *l = context;
	__u32 slot = (l->first + i) % l->size;
	struct load *load = bpf_map_lookup_elem(l->loads, &slot);
	__u64 flows;

	if (!load)
		return 1;
	flows = (__u64)load->flows + 1;
	if (!l->weight || flows * l->weight < l->flows * load->weight) {
		l->slot = slot;
		l->flows = flows;
		l->weight = load->weight;
	}
	return 0;
}

/* Chooses by least-conn, and counts the new flow. */
__noinline int choose_least(struct service *svc)
{
	struct least l = {};
	struct load *load;

	if (!svc)
		return 0;
	l.loads = bpf_map_lookup_elem(&load_tables, &svc->table);
	l.size = svc->size;
	if (!l.loads || !l.size)
		return 0;
	l.first = __sync_fetch_and_add(&svc->next, 1) % l.size;
	bpf_loop(l.size, compare_load, &l, 0);
	load = bpf_map_lookup_elem(l.loads, &l.slot);
	if (load)
		__sync_fetch_and_add(&load->flows, 1);
	return l.slot;
}

/* Sets the source of a reply tuple to the chosen backend. Returns whether there is one. */
static __always_inline bool choose_backend(struct service *svc, const struct tuple *original, struct tuple *reply)
{
	void *table = bpf_map_lookup_elem(&backend_tables, &svc->table);
	struct backend *backend;
	__u32 slot;

	if (!table || !svc->size)
		return false;
	if (svc->balance == BALANCE_MAGLEV)
		slot = hash_tuple(original) % svc->size;
	else if (svc->balance == BALANCE_LEAST_CONN)
		slot = choose_least(svc);
	else
		slot = __sync_fetch_and_add(&svc->next, 1) % svc->size;
	backend = bpf_map_lookup_elem(table, &slot);
	if (!backend)
		return false;
	reply->src = backend->addr;
	reply->sport = backend->port;
	return true;
}
