/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What an outer header has of the packet inside.
 */
#pragma once

#include <linux/types.h>
#include <stdbool.h>

struct inherited {
	__u32 len;	 /* of the packet */
	__u32 label;	 /* of the flow: routers and the backend's queues tell flows apart by it (RFC 6438) */
	__be16 frag_off; /* DF: a router on the way may fragment what the sender allows, and nothing else */
	__u8 class;	 /* DSCP and ECN (RFC 6040 4.1) */
};

/* Only a packet without DF needs an id in an IPv4 header (RFC 6864 4.1). */
static __always_inline bool needs_id(const struct inherited *i)
{
	return !i->frag_off;
}
