/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * A backend that is a client of a VIP: its packets arrive on the backend link, and the replies
 * that it gets leave there. Only fullnat brings the other backend's replies back to this node, so
 * no other mode serves it.
 */
#pragma once

#include "roles.h"
#include "service.h"

static __always_inline bool is_backend(const ip_addr *addr)
{
	return roles_of(addr) & ADDR_BACKEND;
}

/* The link to an address that is not the backend of the packet's flow. */
static __always_inline __u32 link_to(const ip_addr *dst, enum direction direction)
{
	return direction == REPLY && is_backend(dst) ? backend_ifindex : egress(direction);
}

/* Whether a packet that is no reply is one of a backend's to a VIP. The rest of a fragmented datagram
 * would not be recognised. Not inlined, like track. */
__noinline int is_hairpin(const struct packet *pkt)
{
	struct service *svc;

	if (!pkt || !pkt->has_ports || pkt->more || pkt->relayed || !is_backend(&pkt->tuple.src))
		return false;
	svc = find_service(&pkt->tuple);
	return svc && svc->mode == MODE_FULLNAT;
}

/* The mark of a packet that was turned around. No packet from a network has one. */
#define MARK_TURNED 0x6261746fu

/* Gives the packet to the program of the client link. */
static __always_inline int turn_around(struct __sk_buff *skb)
{
	struct ethhdr *eth = header(skb, 0, sizeof(*eth));

	if (!eth)
		return TCX_DROP;
	for (int i = 0; i < ETH_ALEN; i++)
		eth->h_dest[i] = client_mac[i];
	skb->mark = MARK_TURNED;
	return bpf_redirect(client_ifindex, BPF_F_INGRESS);
}

static __always_inline bool was_turned_around(const struct __sk_buff *skb)
{
	return skb->ifindex == client_ifindex && skb->mark == MARK_TURNED;
}

/* Whether a packet that opens a flow has a backend's address as its source, and no backend sent it. */
static __always_inline bool is_forged(const struct __sk_buff *skb, const struct packet *pkt)
{
	return !was_turned_around(skb) && is_backend(&pkt->tuple.src);
}
