/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * A packet, and the parsing that both families share.
 */
#pragma once

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>

#include "access.h"
#include "maps.h"
#include "room.h"

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* ICMP and ICMPv6 alike. */
struct icmp {
	__u8 type;
	__u8 code;
	__sum16 checksum;
	__be16 unused;
	__be16 mtu; /* RFC 1191; in ICMPv6 the lower half of the MTU */
};

enum kind {
	KIND_SEGMENT, /* of TCP, UDP or SCTP */
	KIND_ECHO,    /* an ICMP echo request */
	KIND_ERROR,   /* an ICMP error about a segment */
	KIND_FRAGMENT, /* not the first of its datagram */
};

struct packet {
	struct tuple tuple; /* of KIND_ERROR: the tuple of the reply to the quoted packet */
	__s64 now;   /* when it arrived */
	__u32 seq;   /* of TCP, like ack and payload, or see sctp.h; of KIND_ERROR, of the quoted segment */
	__u32 ack;
	__u16 payload;
	__u16 l4_len;
	__u8 l4_off; /* 8 bits, so that the verifier knows its bounds after a spill */
	__u8 inner_l4_off; /* of KIND_ERROR */
	__u8 fragment_off; /* offset of the IPv6 fragment header; 0 without one */
	__u8 tcp_flags;	/* of SCTP, those with the role of its chunk: see sctp.h */
	__u8 chunk;	/* the type of SCTP's chunk */
	__u8 reflected;	/* SCTP's T bit. Not a bool, whose bounds the compiler knows and the verifier does not */
	__u8 ttl;
	__u8 kind;	/* of enum kind */
	bool has_ports; /* the tuple's ports and protocol are set */
	bool more;	/* the first fragment of several */
	bool relayed;	/* the peer has relayed it, and this node has no lease */
};

DEFINE_ROOM(struct packet, packet)

static __always_inline void *header(packet_ctx *ctx, __u32 offset, __u32 len)
{
	void *start = (void *)(long)ctx->data + offset;

	return start + len > (void *)(long)ctx->data_end ? NULL : start;
}

/* The protocols that are balanced. */
static __always_inline bool is_transport(__u8 proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

static __always_inline enum drop parse_tcp(packet_ctx *ctx, struct packet *pkt, __u32 l4_len)
{
	struct tcphdr *tcp = header(ctx, pkt->l4_off, sizeof(*tcp));

	if (!tcp || tcp->doff < 5 || tcp->doff * 4 > l4_len)
		return DROP_MALFORMED;
	pkt->tcp_flags = ((__u8 *)tcp)[13];
	pkt->seq = bpf_ntohl(tcp->seq);
	pkt->ack = bpf_ntohl(tcp->ack_seq);
	pkt->payload = l4_len - tcp->doff * 4;
	return DROP_NONE;
}

static __always_inline enum drop parse_udp(packet_ctx *ctx, struct packet *pkt, __u32 l4_len)
{
	struct udphdr *udp = header(ctx, pkt->l4_off, sizeof(*udp));

	if (!udp || l4_len < sizeof(*udp) || bpf_ntohs(udp->len) < sizeof(*udp) || (bpf_ntohs(udp->len) > l4_len && !pkt->more))
		return DROP_MALFORMED;
	return DROP_NONE;
}

int parse_sctp(packet_ctx *ctx, struct packet *pkt, __u32 l4_len); /* sctp.h */

/* Reads the ports and the rest of the transport header. */
static __always_inline enum drop parse_segment(packet_ctx *ctx, struct packet *pkt, __u8 proto, __u32 l4_len)
{
	__be16 *ports;

	pkt->tuple.proto = proto;
	pkt->l4_len = l4_len;
	ports = header(ctx, pkt->l4_off, 2 * sizeof(*ports));
	if (!ports || l4_len < 2 * sizeof(*ports) || !ports[0]) /* port 0 is reserved for affinities */
		return DROP_MALFORMED;
	pkt->tuple.sport = ports[0];
	pkt->tuple.dport = ports[1];
	pkt->has_ports = true;
	if (proto == IPPROTO_TCP)
		return parse_tcp(ctx, pkt, l4_len);
	if (proto == IPPROTO_SCTP)
		return parse_sctp(ctx, pkt, l4_len);
	return parse_udp(ctx, pkt, l4_len);
}

/* Reads the start of the segment that an ICMP error quotes. */
static __always_inline enum drop parse_quoted(packet_ctx *ctx, struct packet *pkt)
{
	struct tcphdr *l4 = header(ctx, pkt->inner_l4_off, 8);

	if (!l4 || !l4->dest)
		return DROP_MALFORMED;
	pkt->tuple.sport = l4->dest;
	pkt->tuple.dport = l4->source;
	pkt->seq = bpf_ntohl(l4->seq);
	pkt->has_ports = true;
	return DROP_NONE;
}

static __always_inline void swap_ethernet(struct ethhdr *eth)
{
	__u8 addr[ETH_ALEN];

	__builtin_memcpy(addr, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, addr, ETH_ALEN);
}
