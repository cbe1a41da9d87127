/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Limits for the flows of a service and of each of its sources: for all flows and for
 * embryonic ones. User space counts them about once a second, when it removes entries. In
 * between each new flow adds one, and an answered flow is no longer embryonic.
 */
#pragma once

#include "maps.h"
#include "percpu.h"
#include "service.h"

DEFINE_PERCPU(struct count_key, count_key)

static __always_inline struct count_key *key_of_service(const struct tuple *original, const struct service *svc)
{
	struct count_key *key = original && svc ? TAKE_PERCPU(count_key) : NULL;

	if (!key)
		return NULL;
	key->vip = original->dst;
	key->port = svc->port;
	key->last = svc->last;
	key->proto = original->proto;
	return key;
}

/* Whether one more flow exceeds the limit. A reopened entry is already counted. */
static __always_inline bool is_reached(const struct count_key *key, const struct flow_count *limit, bool anew)
{
	struct flow_count *is = bpf_map_lookup_elem(&flow_counts, key);

	return is && ((limit->flows && !anew && is->flows >= limit->flows) ||
		      (limit->embryonic && is->embryonic >= limit->embryonic));
}

/* Why a flow must not be opened, or DROP_NONE. Not inlined, like track. */
__noinline int check_limits(const struct tuple *original, struct service *svc, __u32 anew)
{
	struct count_key *key = key_of_service(original, svc);

	if (!key || !svc)
		return DROP_NONE;
	key->source = original->src; /* checked first, because it identifies the source */
	if (is_reached(key, &svc->source_limit, anew))
		return DROP_SOURCE_LIMIT;
	__builtin_memset(&key->source, 0, sizeof(key->source));
	return is_reached(key, &svc->limit, anew) ? DROP_SERVICE_LIMIT : DROP_NONE;
}

static __always_inline void count_one(const struct count_key *key, __s32 flows)
{
	struct flow_count *is = bpf_map_lookup_elem(&flow_counts, key);
	struct flow_count none = {};

	if (!is) {
		bpf_map_update_elem(&flow_counts, key, &none, BPF_NOEXIST);
		is = bpf_map_lookup_elem(&flow_counts, key);
	}
	if (!is)
		return;
	__sync_fetch_and_add(&is->flows, flows);
	__sync_fetch_and_add(&is->embryonic, 1);
}

/* Counts a flow that a packet has opened, of a service with limits. */
__noinline int count_opened_flow(const struct tuple *original, const struct service *svc, __u32 anew)
{
	struct count_key *key = key_of_service(original, svc);

	if (!key || !original)
		return 0;
	count_one(key, anew ? 0 : 1);
	key->source = original->src;
	count_one(key, anew ? 0 : 1);
	return 0;
}

static __always_inline bool is_embryonic(__u32 state)
{
	return state == STATE_SYN_SENT || state == STATE_UNREPLIED;
}

static __always_inline void count_embryonic(const struct count_key *key, __s32 by)
{
	struct flow_count *is = bpf_map_lookup_elem(&flow_counts, key);

	if (is && is->embryonic + by >= 0)
		__sync_fetch_and_add(&is->embryonic, by);
}

/* Counts that a flow is answered, or reopened by its backend. */
__noinline int count_moved_flow(const struct tuple *original, __u32 from, __u32 to)
{
	struct count_key *key;
	__s32 by = (__s32)is_embryonic(to) - (__s32)is_embryonic(from);

	if (!original || !by)
		return 0;
	key = key_of_service(original, find_service(original));
	if (!key)
		return 0;
	count_embryonic(key, by);
	key->source = original->src;
	count_embryonic(key, by);
	return 0;
}
