/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What a packet of a flow has looked up for the next packets of its direction: that the
 * flow's service exists, that its addresses are balanced, whether the service encapsulates,
 * and the next hop's Ethernet address. It is valid for one tick, and until user space changes the services.
 *
 * The first packet of each tick goes by the kernel's neighbour table, which learns from it
 * that the neighbour is in use.
 */
#pragma once

#include "direct.h"

/* A conn's hop is one word, so that another CPU reads all of it or nothing: the
 * neighbour's Ethernet address above the stamp of the tick. */
#define HOP_ADDR_SHIFT 16
#define HOP_UNKNOWN 0xfffffffffffeull /* the kernel has to find the neighbour */
#define HOP_ENCAPSULATED 1ull	      /* with the address or HOP_UNKNOWN: the group bit, which neither has */
#define TICK_SHIFT 27		      /* a tick is 134 ms */
#define GENERATION_BITS 4
#define LOOPBACK_IFINDEX 1

/* Call it before the lookups whose results it stamps. A stamp repeats after 550 s;
 * mark_seen clears hops long before that. */
static __always_inline __u16 hop_stamp(__s64 at)
{
	return at >> TICK_SHIFT << GENERATION_BITS | (generation & ((1 << GENERATION_BITS) - 1));
}

/* The neighbour of a direction if it is known in this tick, HOP_UNKNOWN if the kernel has
 * to find it, or 0 if nothing is known. The first two may have HOP_ENCAPSULATED. */
static __always_inline __u64 current_hop(const struct conn *conn, const struct packet *pkt, enum direction direction)
{
	__u64 hop = *(volatile __u64 *)&conn->hop[direction];

	if ((__u16)hop != hop_stamp(pkt->now) || pkt->now - conn->last_seen >= SEEN_EVERY)
		return 0;
	return hop >> HOP_ADDR_SHIFT;
}

/* Fills in the outer header's addresses. */
static __always_inline bool route_outer(struct bpf_fib_lookup *route, const struct tuple *to)
{
	const ip6_addr *end;

	route->l4_protocol = TUNNEL_PROTO;
	if (outer_len(&to->dst) == sizeof(struct iphdr)) {
		route->family = AF_INET;
		route->ipv4_src = tunnel_source4;
		route->ipv4_dst = end_by_ipv4(&to->dst);
		return true;
	}
	end = end_by_ipv6(&to->dst);
	if (!end)
		return false;
	route->family = AF_INET6;
	read_tunnel_source6((ip6_addr *)&route->ipv6_src);
	*(ip6_addr *)&route->ipv6_dst = *end;
	return true;
}

/* Asks the kernel for the link and the neighbour of a packet, as for a packet of the host
 * itself. It answers only if forwarding is enabled on the loopback link. Not inlined, like track. */
__noinline __u64 find_neighbour(packet_ctx *ctx, const struct tuple *to, __u32 ifindex)
{
	struct bpf_fib_lookup route = { .family = ROUTE_FAMILY, .ifindex = LOOPBACK_IFINDEX };
	__u64 addr = 0, encapsulated = 0;

	if (!to)
		return HOP_UNKNOWN;
	route.l4_protocol = to->proto;
	route.sport = to->sport;
	route.dport = to->dport;
	if (leaving_of(to) == ENCAPSULATED) {
		encapsulated = HOP_ENCAPSULATED;
		if (!route_outer(&route, to))
			return HOP_UNKNOWN | encapsulated;
	} else { /* for both families: the IPv4 members begin where the IPv6 members do */
		*(ip_addr *)&route.ipv6_src = to->src;
		*(ip_addr *)&route.ipv6_dst = to->dst;
	}
	if (bpf_fib_lookup(ctx, &route, sizeof(route), 0) != BPF_FIB_LKUP_RET_SUCCESS || route.ifindex != ifindex)
		return HOP_UNKNOWN | encapsulated;
	if (leaving_of(to) == UNCHANGED && !same_addr((ip_addr *)&route.ipv6_dst, &to->dst))
		return HOP_UNKNOWN; /* a gateway would send it back */
	__builtin_memcpy(&addr, route.dmac, ETH_ALEN);
	if (addr & HOP_ENCAPSULATED) /* a group address: entered by hand */
		addr = HOP_UNKNOWN;
	return addr | encapsulated;
}

static __always_inline __u32 egress(enum direction direction)
{
	return direction == ORIGINAL ? backend_ifindex : client_ifindex;
}

static __always_inline void remember_hop(struct conn *conn, __u16 stamp, __u64 addr, enum direction direction)
{
	*(volatile __u64 *)&conn->hop[direction] = addr << HOP_ADDR_SHIFT | stamp;
}

/* Addresses the frame to a neighbour. */
static __always_inline void address_frame(struct ethhdr *eth, __u64 hop, enum direction direction)
{
	const volatile __u8 *mac = direction == ORIGINAL ? backend_mac : client_mac;

	__builtin_memcpy(eth->h_dest, &hop, ETH_ALEN);
	for (int i = 0; i < ETH_ALEN; i++)
		eth->h_source[i] = mac[i];
}

/* Whether the packet has to use the kernel's neighbour table, which learns from it that
 * the neighbour is in use. The first packet of its direction after mark_seen does, once a
 * second. */
static __always_inline bool is_kernels_turn(const struct conn *conn, const struct packet *pkt, enum direction direction)
{
	return !*(volatile __u64 *)&conn->hop[direction] || pkt->now - conn->last_seen >= SEEN_EVERY;
}
