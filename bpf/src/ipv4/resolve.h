/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * ARP for the VIPs. They are never assigned to the host, so the program answers for them,
 * and only while the lease holds.
 */
#pragma once

#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>

#include "count.h"
#include "lease.h"
#include "parse.h"

/* linux/if_arp.h pulls in the C library's headers, which are not for this target. */
#define ARPHRD_ETHER 1
#define ARPOP_REQUEST 1
#define ARPOP_REPLY 2

/* RFC 826 for Ethernet and IPv4. */
struct arp {
	__be16 hrd;
	__be16 pro;
	__u8 hln;
	__u8 pln;
	__be16 op;
	__u8 sha[ETH_ALEN];
	__u8 spa[4];
	__u8 tha[ETH_ALEN];
	__u8 tpa[4];
};

static __always_inline __be32 read_address(const __u8 *p)
{
	__be32 addr;

	__builtin_memcpy(&addr, p, sizeof(addr));
	return addr;
}

/* A request that is not an announcement: a gratuitous ARP asks for its sender's own
 * address. */
static __always_inline bool is_arp_question(const struct arp *arp)
{
	return arp->hrd == bpf_htons(ARPHRD_ETHER) && arp->pro == bpf_htons(ETH_P_IP) &&
	       arp->hln == ETH_ALEN && arp->pln == 4 && arp->op == bpf_htons(ARPOP_REQUEST) &&
	       read_address(arp->spa) != read_address(arp->tpa);
}

static __always_inline void become_reply(struct ethhdr *eth, struct arp *arp, const volatile __u8 *mac)
{
	__be32 vip = read_address(arp->tpa);

	arp->op = bpf_htons(ARPOP_REPLY);
	__builtin_memcpy(arp->tha, arp->sha, sizeof(arp->tha));
	__builtin_memcpy(arp->tpa, arp->spa, sizeof(arp->tpa));
	__builtin_memcpy(arp->spa, &vip, sizeof(vip));
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	for (int i = 0; i < ETH_ALEN; i++) {
		arp->sha[i] = mac[i];
		eth->h_source[i] = mac[i];
	}
}

static __always_inline bool is_resolution(struct __sk_buff *skb)
{
	return skb->protocol == bpf_htons(ETH_P_ARP);
}

/* answers is the link's ADDR_ANSWER_* bit, mac the link's own address. */
static __always_inline int resolve(struct __sk_buff *skb, __u32 answers, const volatile __u8 *mac)
{
	struct ethhdr *eth = header(skb, 0, sizeof(*eth));
	struct arp *arp = header(skb, ETH_HLEN, sizeof(*arp));
	struct counters *c = count();
	__u32 *roles;
	__be32 target;

	if (!eth || !arp || !is_arp_question(arp))
		return TCX_NEXT;
	target = read_address(arp->tpa);
	roles = bpf_map_lookup_elem(&addresses, &target);
	if (!roles || !(*roles & answers))
		return TCX_NEXT;
	if (!lease_holds(now()))
		return drop(DROP_NO_LEASE);
	become_reply(eth, arp, mac);
	if (c)
		c->arp_replies++;
	return bpf_redirect(skb->ifindex, 0);
}
