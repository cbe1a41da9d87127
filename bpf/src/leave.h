/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * How a TCX program sends a packet out.
 */
#pragma once

#include "hop.h"

/* Sends the packet to its neighbour, or to whom the kernel knows. */
static __always_inline int leave(struct __sk_buff *skb, __u64 hop, enum direction direction)
{
	struct ethhdr *eth = header(skb, 0, sizeof(*eth));

	if (!hop || hop == HOP_UNKNOWN || !eth)
		return bpf_redirect_neigh(egress(direction), NULL, 0, 0);
	address_frame(eth, hop, direction);
	return bpf_redirect(egress(direction), 0);
}
