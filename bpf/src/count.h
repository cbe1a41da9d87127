/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Counters, and dropping a packet.
 */
#pragma once

#include "access.h"
#include "maps.h"

static __always_inline struct counters *count(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counters, &zero);
}

/* Not inlined, like track. */
__noinline int drop(enum drop reason)
{
	struct counters *c = count();

	_Static_assert(DROP_KINDS < DROP_SLOTS, "a reason has no place to be counted");
	if (c)
		c->dropped[reason & (DROP_SLOTS - 1)]++;
	return DROPPED;
}

static __always_inline void count_forwarded(packet_ctx *ctx, enum direction direction)
{
	struct counters *c = count();

	if (!c)
		return;
	c->forwarded[direction] += packets_in(ctx);
	c->bytes[direction] += frame_len(ctx);
}
