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

static __always_inline void count_packets(enum direction direction, __u32 packets, __u32 bytes)
{
	struct counters *c = count();

	if (!c)
		return;
	c->forwarded[direction] += packets;
	c->bytes[direction] += bytes;
}

static __always_inline void count_forwarded(packet_ctx *ctx, enum direction direction)
{
	count_packets(direction, packets_in(ctx), frame_len(ctx));
}
