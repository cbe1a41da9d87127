/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Translation. Checksums go through the kernel's helpers: packets from a veth
 * carry partial ones, which only hold the pseudo header's sum.
 */
#pragma once

#include "header.h"

struct ports {
	__be16 source;
	__be16 dest;
};

static __always_inline void fix_transport_checksum(struct __sk_buff *skb, const struct packet *pkt, __u32 addresses,
						   __u32 ports)
{
	bool udp = pkt->tuple.proto == IPPROTO_UDP;
	__u32 check = pkt->l4_off + (udp ? offsetof(struct udphdr, check) : offsetof(struct tcphdr, check));
	__u64 flags = udp ? BPF_F_MARK_MANGLED_0 : 0; /* 0 in UDP means that there is no checksum */

	bpf_l4_csum_replace(skb, check, 0, addresses, BPF_F_PSEUDO_HDR | flags);
	bpf_l4_csum_replace(skb, check, 0, ports, flags);
}

/* Makes the packet show the tuple to, one hop on. */
static __always_inline bool translate(struct __sk_buff *skb, const struct packet *pkt, const struct tuple *to)
{
	const struct tuple *from = &pkt->tuple;
	ip_header *ip = header(skb, ETH_HLEN, sizeof(*ip));
	struct ports *ports = header(skb, pkt->l4_off, sizeof(*ports));
	__u32 addresses = addresses_change(&from->src, &to->src, &from->dst, &to->dst);
	__u32 port_change = csum_change(from->sport, to->sport, from->dport, to->dport);

	if (!ip || !ports)
		return false;
	readdress(ip, &to->src, &to->dst, addresses);
	ports->source = to->sport;
	ports->dest = to->dport;
	fix_transport_checksum(skb, pkt, addresses, port_change);
	return true;
}
