/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * How a TCX program sends a packet out.
 */
#pragma once

#include "hop.h"
#include "relay.h"

/* Sends the packet to its neighbour, or to whom the kernel knows. */
static __always_inline int leave(struct __sk_buff *skb, __u64 hop, enum direction direction)
{
	struct ethhdr *eth = header(skb, 0, sizeof(*eth));

	if (!hop || hop == HOP_UNKNOWN || !eth)
		return bpf_redirect_neigh(egress(direction), NULL, 0, 0);
	address_frame(eth, hop, direction);
	return bpf_redirect(egress(direction), 0);
}

static __always_inline void count_relayed(void)
{
	struct counters *c = count();

	if (c)
		c->relayed++;
}

/* Sends the packet on to the peer, or drops it if this node does not hand its role over. The
 * switch must not learn the sender's address here, so the frame gets this node's. */
static __always_inline int relay(struct __sk_buff *skb, const struct packet *pkt, enum direction direction)
{
	const volatile __u8 *own = direction == ORIGINAL ? client_mac : backend_mac;
	const volatile __u8 *peer = peer_mac(direction);
	struct ethhdr *eth = header(skb, 0, sizeof(*eth));

	if (!eth || pkt->now >= relay_until || !is_known(peer) || !is_to_host(skb))
		return drop(DROP_NO_LEASE);
	for (int i = 0; i < ETH_ALEN; i++) {
		eth->h_dest[i] = peer[i];
		eth->h_source[i] = own[i];
	}
	count_relayed();
	return bpf_redirect(direction == ORIGINAL ? client_ifindex : backend_ifindex, 0);
}
