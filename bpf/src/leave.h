/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * How a TCX program transmits a packet.
 */
#pragma once

#include "hairpin.h"
#include "hop.h"
#include "relay.h"
#include "tunnel.h"

/* Lets the kernel find the neighbour of the packet. That of a packet that leaves unchanged is the
 * backend, which the packet does not name. */
static __noinline int leave_by_kernel(const struct tuple *to, __u32 ifindex)
{
	struct bpf_redir_neigh backend = { .nh_family = ROUTE_FAMILY };

	if (!to || leaving_of(to) != UNCHANGED)
		return bpf_redirect_neigh(ifindex, NULL, 0, 0);
	*(ip_addr *)&backend.ipv6_nh = to->dst; /* ipv4_nh begins where ipv6_nh does */
	return bpf_redirect_neigh(ifindex, &backend, sizeof(backend), 0);
}

/* Transmits a client's packet in an outer header. Not inlined, like track. */
__noinline int leave_encapsulated(struct __sk_buff *skb, const struct tuple *to, __u64 hop)
{
	struct ethhdr *eth;

	if (!to || !encapsulate(skb, to))
		return drop(DROP_TUNNEL);
	hop &= ~HOP_ENCAPSULATED;
	eth = header(skb, 0, sizeof(*eth));
	if (!hop || hop == HOP_UNKNOWN || !eth)
		return bpf_redirect_neigh(backend_ifindex, NULL, 0, 0);
	address_frame(eth, hop, ORIGINAL);
	return bpf_redirect(backend_ifindex, 0);
}

/* Transmits a translated packet to the neighbour that the kernel finds for its destination. */
static __always_inline int leave_to(const ip_addr *dst, enum direction direction)
{
	return bpf_redirect_neigh(link_to(dst, direction), NULL, 0, 0);
}

/* Transmits the packet that leaves with a tuple to its neighbour, or to the one that the kernel
 * finds. */
static __always_inline int leave(struct __sk_buff *skb, const struct tuple *to, __u64 hop, enum direction direction)
{
	struct ethhdr *eth = header(skb, 0, sizeof(*eth));

	if (leaving_of(to) == ENCAPSULATED)
		return leave_encapsulated(skb, to, hop);
	if (!hop || hop == HOP_UNKNOWN || !eth)
		return leave_by_kernel(to, link_to(&to->dst, direction));
	address_frame(eth, hop, direction);
	return bpf_redirect(egress(direction), 0);
}

/* Sends an answer back to the neighbour that sent the packet. For a relayed packet, and one that was
 * turned around, the original neighbour is unknown, so the kernel finds it by the answer's destination. */
static __always_inline int answer(struct __sk_buff *skb)
{
	struct ethhdr *eth = header(skb, 0, sizeof(*eth));

	if (!eth)
		return TCX_DROP;
	if (was_turned_around(skb))
		return bpf_redirect_neigh(backend_ifindex, NULL, 0, 0);
	if (is_peers(eth, skb->ifindex == client_ifindex ? ORIGINAL : REPLY))
		return bpf_redirect_neigh(skb->ifindex, NULL, 0, 0);
	swap_ethernet(eth);
	return bpf_redirect(skb->ifindex, 0);
}

static __always_inline void count_relayed(void)
{
	struct counters *c = count();

	if (c)
		c->relayed++;
}

/* Relays the packet to the peer, or drops it if the node does not relay. The
 * frame gets this node's source address, so that the switch does not learn the sender's
 * address here. */
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
