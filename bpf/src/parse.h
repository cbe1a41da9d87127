/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * From a frame to a conntrack tuple.
 */
#pragma once

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>

#include "maps.h"

#define HEADERS_MAX (ETH_HLEN + 60 + sizeof(struct icmp) + 60 + 8) /* of an ICMP error, the longest */
#define IP_MF 0x2000
#define IP_OFFSET 0x1fff

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* linux/icmp.h pulls in the C library's headers, which are not for this target. */
#define ICMP_ECHO_REPLY 0
#define ICMP_UNREACHABLE 3
#define ICMP_FRAGMENTATION_NEEDED 4 /* a code of ICMP_UNREACHABLE */
#define ICMP_ECHO 8
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER_PROBLEM 12

struct icmp {
	__u8 type;
	__u8 code;
	__sum16 checksum;
	__be16 unused;
	__be16 mtu; /* RFC 1191 */
};

enum kind {
	KIND_SEGMENT, /* of TCP or UDP */
	KIND_ECHO,    /* an ICMP echo request */
	KIND_ERROR,   /* an ICMP error about a segment */
	KIND_FRAGMENT, /* not the first of its datagram */
};

struct packet {
	struct tuple tuple; /* of KIND_ERROR: that of packets from the receiver of what the error is about */
	__s64 now;   /* when it arrived */
	__u32 seq;   /* of TCP, as ack and payload; of KIND_ERROR, of the segment that it is about */
	__u32 ack;
	__u16 payload;
	__u8 l4_off; /* so narrow that the verifier knows its bounds after a spill */
	__u8 inner_l4_off; /* of KIND_ERROR */
	__u8 tcp_flags;
	__u8 ttl;
	__u8 kind;	/* of enum kind */
	bool has_ports; /* the tuple's ports and protocol are set */
	bool more;	/* the first fragment of several */
};

static __always_inline void *header(struct __sk_buff *skb, __u32 offset, __u32 len)
{
	void *start = (void *)(long)skb->data + offset;

	return start + len > (void *)(long)skb->data_end ? NULL : start;
}

/* Drivers may leave headers outside the linear part, which is all that direct access reaches. */
static __always_inline void pull_headers(struct __sk_buff *skb)
{
	__u32 linear = skb->data_end - skb->data;

	if (linear < HEADERS_MAX && linear < skb->len)
		bpf_skb_pull_data(skb, skb->len < HEADERS_MAX ? skb->len : HEADERS_MAX);
}

/* Reads the addresses. What is too short to have them concerns no VIP. */
static __always_inline bool parse_addresses(struct __sk_buff *skb, struct packet *pkt)
{
	struct iphdr *ip = header(skb, ETH_HLEN, sizeof(*ip));

	if (!ip || ip->version != 4)
		return false;
	pkt->tuple.src = ip->saddr;
	pkt->tuple.dst = ip->daddr;
	return true;
}

static __always_inline enum drop parse_tcp(struct __sk_buff *skb, struct packet *pkt, __u32 l4_len)
{
	struct tcphdr *tcp = header(skb, pkt->l4_off, sizeof(*tcp));

	if (!tcp || tcp->doff < 5 || tcp->doff * 4 > l4_len)
		return DROP_MALFORMED;
	pkt->tcp_flags = ((__u8 *)tcp)[13];
	pkt->seq = bpf_ntohl(tcp->seq);
	pkt->ack = bpf_ntohl(tcp->ack_seq);
	pkt->payload = l4_len - tcp->doff * 4;
	return DROP_NONE;
}

static __always_inline enum drop parse_udp(struct __sk_buff *skb, struct packet *pkt, __u32 l4_len)
{
	struct udphdr *udp = header(skb, pkt->l4_off, sizeof(*udp));

	if (!udp || bpf_ntohs(udp->len) < sizeof(*udp) || (bpf_ntohs(udp->len) > l4_len && !pkt->more))
		return DROP_MALFORMED;
	return DROP_NONE;
}

/* An ICMP error is about the packet that it holds the beginning of, and goes to whom
 * that one came from. */
static __always_inline enum drop parse_error(struct __sk_buff *skb, struct packet *pkt, __u32 l4_len)
{
	__u32 inner_off = pkt->l4_off + sizeof(struct icmp), ihl;
	struct iphdr *inner = header(skb, inner_off, sizeof(*inner));
	struct tcphdr *l4;

	if (!inner || inner->version != 4)
		return DROP_MALFORMED;
	ihl = inner->ihl * 4;
	if (ihl < sizeof(*inner) || l4_len < sizeof(struct icmp) + ihl + 8)
		return DROP_MALFORMED;
	if (inner->saddr != pkt->tuple.dst || (inner->frag_off & bpf_htons(IP_OFFSET)) ||
	    (inner->protocol != IPPROTO_TCP && inner->protocol != IPPROTO_UDP))
		return DROP_ICMP;
	pkt->tuple.src = inner->daddr;
	pkt->tuple.proto = inner->protocol;
	pkt->inner_l4_off = inner_off + ihl;
	l4 = header(skb, pkt->inner_l4_off, 8);
	if (!l4)
		return DROP_MALFORMED;
	pkt->tuple.sport = l4->dest;
	pkt->tuple.dport = l4->source;
	pkt->seq = bpf_ntohl(l4->seq);
	pkt->has_ports = true;
	return DROP_NONE;
}

static __always_inline enum drop parse_icmp(struct __sk_buff *skb, struct packet *pkt, __u32 l4_len)
{
	struct icmp *icmp = header(skb, pkt->l4_off, sizeof(*icmp));

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
		return parse_error(skb, pkt, l4_len);
	}
	return DROP_ICMP;
}

/* Reads the rest of the tuple. Returns DROP_NONE, or the reason for which a packet of a
 * VIP is dropped. */
static __always_inline enum drop parse_transport(struct __sk_buff *skb, struct packet *pkt)
{
	struct iphdr *ip = header(skb, ETH_HLEN, sizeof(*ip));
	__u32 ihl, total, fragment;
	__be16 *ports;

	if (!ip)
		return DROP_MALFORMED;
	ihl = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);
	fragment = bpf_ntohs(ip->frag_off);
	if (ihl < sizeof(*ip) || total < ihl || ETH_HLEN + total > skb->len)
		return DROP_MALFORMED;
	pkt->ttl = ip->ttl;
	pkt->l4_off = ETH_HLEN + ihl;
	if (ip->protocol == IPPROTO_ICMP)
		return fragment & (IP_OFFSET | IP_MF) ? DROP_FRAGMENT : parse_icmp(skb, pkt, total - ihl);
	if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP)
		return DROP_OTHER_PROTO;
	if (fragment & IP_OFFSET) {
		pkt->kind = KIND_FRAGMENT;
		return DROP_NONE;
	}

	pkt->tuple.proto = ip->protocol;
	ports = header(skb, pkt->l4_off, 2 * sizeof(*ports));
	if (!ports || total - ihl < 2 * sizeof(*ports))
		return DROP_MALFORMED;
	pkt->tuple.sport = ports[0];
	pkt->tuple.dport = ports[1];
	pkt->has_ports = true;
	pkt->more = fragment & IP_MF;
	if (pkt->tuple.proto == IPPROTO_TCP)
		return parse_tcp(skb, pkt, total - ihl);
	return parse_udp(skb, pkt, total - ihl);
}
