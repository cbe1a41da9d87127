/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * ICMP messages that this node makes or changes (RFC 792, 1191).
 */
#pragma once

#include "nat.h"
#include "strict.h"

#define ECHO_REPLY ICMP_ECHO_REPLY
#define ICMP_PROTO IPPROTO_ICMP
#define QUOTED_MAX (60 + 20) /* bytes quoted of the packet in error */

struct icmp_error {
	struct icmp icmp;
	__u8 quoted[QUOTED_MAX];
};

DEFINE_ROOM(struct icmp_error, icmp_error)

static __always_inline struct icmp message_about(enum drop reason, __u32 mtu)
{
	struct icmp exceeded = { .type = ICMP_TIME_EXCEEDED };
	struct icmp too_big = { ICMP_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, .mtu = bpf_htons(mtu) };

	struct icmp no_port = { .type = ICMP_UNREACHABLE, .code = ICMP_PORT_UNREACHABLE };

	if (reason == DROP_NO_BACKEND)
		return no_port;
	return reason == DROP_TOO_BIG ? too_big : exceeded;
}

/* Swaps the addresses of a header, to answer its sender. */
static __always_inline void turn_header(ip_header *ip)
{
	ip_addr from = ip->saddr;
	__u32 change = (__u16)~ip->ttl + TTL_DEFAULT;

	ip->saddr = ip->daddr;
	ip->daddr = from;
	ip->ttl = TTL_DEFAULT;
	fix_checksum(&ip->check, change);
}

/* Writes the IP header of an answer to a packet. Returns the header's part of the answer's
 * checksum, 0 for ICMP. */
static __always_inline __u32 write_header(ip_header *ip, __u8 proto, __u32 len, const struct packet *pkt)
{
	*ip = (ip_header){
		.version = 4, .ihl = sizeof(*ip) / 4, .ttl = TTL_DEFAULT, .protocol = proto,
		.tot_len = bpf_htons(sizeof(*ip) + len), .saddr = pkt->tuple.dst, .daddr = pkt->tuple.src,
	};
	fix_checksum(&ip->check, header_sum(ip));
	if (proto == IPPROTO_ICMP)
		return 0;
	return pseudo_sum(&pkt->tuple.dst, &pkt->tuple.src, proto, len);
}

/* Translates an error to the flow as its receiver knows it: the quoted packet and the outer
 * addresses. The error keeps its source if the flow does not translate its sender's address. */
static __always_inline bool translate_error(struct __sk_buff *skb, const struct packet *pkt, const struct tuple *to)
{
	struct iphdr *ip = header(skb, ETH_HLEN, sizeof(*ip));
	struct icmp *icmp = header(skb, pkt->l4_off, sizeof(*icmp));
	struct iphdr *inner = header(skb, pkt->l4_off + sizeof(*icmp), sizeof(*inner));
	struct ports *ports = header(skb, pkt->inner_l4_off, sizeof(*ports));
	__be32 sender;

	if (!ip || !icmp || !inner || !ports)
		return false;
	sender = to->src == pkt->tuple.src ? ip->saddr : to->src;
	readdress(ip, &sender, &to->dst, csum_change(ip->saddr, sender, ip->daddr, to->dst));
	fix_checksum(&inner->check, csum_change(inner->saddr, to->dst, inner->daddr, to->src));
	inner->saddr = to->dst;
	inner->daddr = to->src;
	fix_checksum(&icmp->checksum, csum_change(ports->source, to->dport, ports->dest, to->sport));
	ports->source = to->dport;
	ports->dest = to->sport;
	return true;
}
