/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The choice of a backend for a new flow.
 */
#pragma once

#include "hash.h"
#include "maps.h"

/* Sets the source of a reply tuple to the chosen backend. Reports whether there is one. */
static __always_inline bool choose_backend(struct service *svc, const struct tuple *original, struct tuple *reply)
{
	void *table = bpf_map_lookup_elem(&backend_tables, &svc->table);
	struct backend *backend;
	__u32 slot;

	if (!table || !svc->size)
		return false;
	if (svc->balance == BALANCE_MAGLEV)
		slot = hash_tuple(original) % svc->size;
	else
		slot = __sync_fetch_and_add(&svc->next, 1) % svc->size;
	backend = bpf_map_lookup_elem(table, &slot);
	if (!backend)
		return false;
	reply->src = backend->addr;
	reply->sport = backend->port;
	return true;
}
