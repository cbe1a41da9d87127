/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Counting and the two ends of a packet that is not forwarded.
 */
#pragma once

#include "maps.h"

/* Debian's kernel headers lack the TCX_* verdicts (linux/bpf.h, Linux 6.6). */
#define TCX_NEXT (-1)
#define TCX_DROP 2

static __always_inline struct counters *count(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counters, &zero);
}

static __always_inline int drop(enum drop reason)
{
	struct counters *c = count();

	_Static_assert(DROP_KINDS < DROP_SLOTS, "a reason has no place to be counted");
	if (c)
		c->dropped[reason & (DROP_SLOTS - 1)]++;
	return TCX_DROP;
}

/* A GSO packet counts as the segments that it stands for. */
static __always_inline void count_forwarded(struct __sk_buff *skb, enum direction direction)
{
	struct counters *c = count();
	__u32 segments = skb->gso_segs;

	if (!c)
		return;
	c->forwarded[direction] += segments ? segments : 1;
	c->bytes[direction] += skb->len;
}
