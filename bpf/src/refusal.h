/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Refused new flows, counted by service: the global counter tells which resource is
 * exhausted, this one whose clients are affected.
 */
#pragma once

#include "maps.h"

/* Not inlined, like track. */
__noinline int count_refused(const struct tuple *original, const struct service *svc, __u32 reason)
{
	struct service_key key = {};
	struct refusals *r;

	if (!original || !svc)
		return 0;
	key.vip = original->dst;
	key.port = svc->port;
	key.last = svc->last;
	key.proto = original->proto;
	r = bpf_map_lookup_elem(&refusals, &key);
	if (!r)
		return 0;
	switch (reason) {
	case DROP_NO_BACKEND:
		__sync_fetch_and_add(&r->no_backend, 1);
		break;
	case DROP_NO_PORT:
		__sync_fetch_and_add(&r->no_port, 1);
		break;
	case DROP_TABLE_FULL:
		__sync_fetch_and_add(&r->table_full, 1);
		break;
	case DROP_SERVICE_LIMIT:
		__sync_fetch_and_add(&r->service_limit, 1);
		break;
	case DROP_SOURCE_LIMIT:
		__sync_fetch_and_add(&r->source_limit, 1);
		break;
	case DROP_CHALLENGED:
		__sync_fetch_and_add(&r->challenged, 1);
		break;
	}
	return 0;
}
