/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * ICMPv6 messages that this node makes or changes (RFC 4443). Their checksum covers the
 * addresses of the packet.
 */
#pragma once

#include "nat.h"
#include "strict.h"

#define ECHO_REPLY ICMPV6_ECHO_REPLY
#define ICMP_PROTO IPPROTO_ICMPV6
#define QUOTED_MAX (sizeof(struct ipv6hdr) + EXTENSIONS_MAX + sizeof(struct tcphdr))

struct icmp_error {
	struct icmp icmp;
	__u8 quoted[QUOTED_MAX];
};

DEFINE_ROOM(struct icmp_error, icmp_error)

static __always_inline struct icmp message_about(enum drop reason, __u32 mtu)
{
	struct icmp exceeded = { .type = ICMPV6_TIME_EXCEEDED };
	struct icmp too_big = { .type = ICMPV6_TOO_BIG, .mtu = bpf_htons(mtu) };

	struct icmp no_port = { .type = ICMPV6_UNREACHABLE, .code = ICMPV6_PORT_UNREACHABLE };

	if (reason == DROP_NO_BACKEND)
		return no_port;
	return reason == DROP_TOO_BIG ? too_big : exceeded;
}

/* Swaps the addresses of a header, to answer its sender. */
static __always_inline void turn_header(ip_header *ip)
{
	ip_addr src = source_of(ip), dst = destination_of(ip);

	set_addresses(ip, &dst, &src);
	ip->hop_limit = TTL_DEFAULT;
}

/* Writes the IP header of an answer to a packet. Returns its part of the answer's
 * checksum. */
static __always_inline __u32 write_header(ip_header *ip, __u8 proto, __u32 len, const struct packet *pkt)
{
	*ip = (ip_header){
		.version = 6, .payload_len = bpf_htons(len), .nexthdr = proto, .hop_limit = TTL_DEFAULT,
	};
	set_addresses(ip, &pkt->tuple.dst, &pkt->tuple.src);
	return pseudo_sum(&pkt->tuple.dst, &pkt->tuple.src, proto, len);
}

/* Returns the change of a sum that covers the address. */
static __always_inline __u32 replace_addr(ip_addr *at, const ip_addr *to)
{
	__u32 change = 0;

	for (int i = 0; i < 4; i++) {
		change = csum_add(change, csum_add(~at->word[i], to->word[i]));
		at->word[i] = to->word[i];
	}
	return change;
}

/* Translates an error to the flow as its receiver knows it: the quoted packet and the outer
 * addresses. The error keeps its source if the flow does not translate its sender's address. */
static __always_inline bool translate_error(struct __sk_buff *skb, const struct packet *pkt, const struct tuple *to)
{
	ip_header *ip = header(skb, ETH_HLEN, sizeof(*ip));
	struct icmp *icmp = header(skb, pkt->l4_off, sizeof(*icmp));
	ip_header *inner = header(skb, pkt->l4_off + sizeof(*icmp), sizeof(*inner));
	struct ports *ports = header(skb, pkt->inner_l4_off, sizeof(*ports));
	__u32 change = 0;

	if (!ip || !icmp || !inner || !ports)
		return false;
	if (!same_addr(&to->src, &pkt->tuple.src))
		change = replace_addr((ip_addr *)&ip->saddr, &to->src);
	change = csum_add(change, replace_addr((ip_addr *)&ip->daddr, &to->dst));
	change = csum_add(change, replace_addr((ip_addr *)&inner->saddr, &to->dst));
	change = csum_add(change, replace_addr((ip_addr *)&inner->daddr, &to->src));
	ip->hop_limit--;
	change = csum_add(change, csum_change(ports->source, to->dport, ports->dest, to->sport));
	ports->source = to->dport;
	ports->dest = to->sport;
	fix_checksum(&icmp->checksum, change);
	return true;
}
