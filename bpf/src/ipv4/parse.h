/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * From an IPv4 frame to a conntrack tuple.
 */
#pragma once

#include <linux/ip.h>

#include "packet.h"

#define HEADERS_MAX (ETH_HLEN + 60 + sizeof(struct icmp) + 60 + 8) /* of an ICMP error, the longest case */
#define IP_MF 0x2000
#define IP_OFFSET 0x1fff

/* linux/icmp.h pulls in the C library's headers, which are not for this target. */
#define ICMP_ECHO_REPLY 0
#define ICMP_UNREACHABLE 3
#define ICMP_PORT_UNREACHABLE 3	    /* a code of ICMP_UNREACHABLE */
#define ICMP_FRAGMENTATION_NEEDED 4 /* a code of ICMP_UNREACHABLE */
#define ICMP_ECHO 8
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER_PROBLEM 12

typedef struct iphdr ip_header;

/* Reads the addresses. A packet too short for them does not concern a VIP. */
static __always_inline bool parse_addresses(packet_ctx *ctx, struct packet *pkt)
{
	struct iphdr *ip = header(ctx, ETH_HLEN, sizeof(*ip));

	if (!ip || ip->version != 4)
		return false;
	pkt->tuple.src = ip->saddr;
	pkt->tuple.dst = ip->daddr;
	return true;
}

/* An ICMP error quotes the beginning of a packet, and is for that packet's sender. */
static __always_inline enum drop parse_error(packet_ctx *ctx, struct packet *pkt, __u32 l4_len)
{
	__u32 inner_off = pkt->l4_off + sizeof(struct icmp), ihl;
	struct iphdr *inner = header(ctx, inner_off, sizeof(*inner));

	if (!inner || inner->version != 4)
		return DROP_MALFORMED;
	ihl = inner->ihl * 4;
	if (ihl < sizeof(*inner) || l4_len < sizeof(struct icmp) + ihl + 8)
		return DROP_MALFORMED;
	if (inner->saddr != pkt->tuple.dst || (inner->frag_off & bpf_htons(IP_OFFSET)) ||
	    !is_transport(inner->protocol))
		return DROP_ICMP;
	pkt->tuple.src = inner->daddr;
	pkt->tuple.proto = inner->protocol;
	pkt->inner_l4_off = inner_off + ihl;
	return parse_quoted(ctx, pkt);
}

static __always_inline enum drop parse_icmp(packet_ctx *ctx, struct packet *pkt, __u32 l4_len)
{
	struct icmp *icmp = header(ctx, pkt->l4_off, sizeof(*icmp));

	if (!icmp || l4_len < sizeof(*icmp))
		return DROP_MALFORMED;
	switch (icmp->type) {
	case ICMP_ECHO:
		pkt->kind = KIND_ECHO;
		return drop_echo ? DROP_ICMP : DROP_NONE;
	case ICMP_UNREACHABLE:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETER_PROBLEM:
		pkt->kind = KIND_ERROR;
		return parse_error(ctx, pkt, l4_len);
	}
	return DROP_ICMP;
}

/* Reads the rest of the tuple. Returns DROP_NONE, or why a packet of a VIP is dropped. */
static __always_inline enum drop parse_transport(packet_ctx *ctx, struct packet *pkt)
{
	struct iphdr *ip = header(ctx, ETH_HLEN, sizeof(*ip));
	__u32 ihl, total, fragment;

	if (!ip)
		return DROP_MALFORMED;
	ihl = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);
	fragment = bpf_ntohs(ip->frag_off);
	if (ihl < sizeof(*ip) || total < ihl || ETH_HLEN + total > frame_len(ctx))
		return DROP_MALFORMED;
	pkt->ttl = ip->ttl;
	pkt->l4_off = ETH_HLEN + ihl;
	if (ip->protocol == IPPROTO_ICMP)
		return fragment & (IP_OFFSET | IP_MF) ? DROP_FRAGMENT : parse_icmp(ctx, pkt, total - ihl);
	if (!is_transport(ip->protocol))
		return DROP_OTHER_PROTO;
	if (fragment & IP_OFFSET) {
		pkt->kind = KIND_FRAGMENT;
		return DROP_NONE;
	}
	pkt->more = fragment & IP_MF;
	return parse_segment(ctx, pkt, ip->protocol, total - ihl);
}
