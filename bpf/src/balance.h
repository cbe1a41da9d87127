/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The choice of a backend for a new flow.
 */
#pragma once

#include "hash.h"
#include "maps.h"

static __always_inline struct backend *choose_backend(struct service *svc, const struct tuple *original)
{
	void *table = bpf_map_lookup_elem(&backend_tables, &svc->table);
	__u32 slot;

	if (!table || !svc->size)
		return NULL;
	if (svc->balance == BALANCE_MAGLEV)
		slot = hash_tuple(original) % svc->size;
	else
		slot = __sync_fetch_and_add(&svc->next, 1) % svc->size;
	return bpf_map_lookup_elem(table, &slot);
}
