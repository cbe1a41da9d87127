/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The outer header of an encapsulated packet, of the family of the backend (RFC 2003, 2473, 4213).
 */
#pragma once

#include "across.h"
#include "inherit.h"

static __always_inline void write_ipv4(struct iphdr *outer, const struct inherited *i, __be32 to)
{
	*outer = (struct iphdr){
		.version = 4, .ihl = sizeof(*outer) / 4, .tos = i->class, .tot_len = bpf_htons(i->len + sizeof(*outer)),
		.frag_off = i->frag_off, .ttl = TTL_DEFAULT, .protocol = TUNNEL_PROTO, .saddr = tunnel_source4, .daddr = to,
	};
	if (needs_id(i))
		outer->id = outer_id();
	fix_checksum(&outer->check, header_sum(outer));
}

static __always_inline void write_ipv6(struct ipv6hdr *outer, const struct inherited *i, const ip6_addr *to)
{
	*(__be32 *)outer = bpf_htonl(6u << 28 | (__u32)i->class << 20 | i->label);
	outer->payload_len = bpf_htons(i->len);
	outer->nexthdr = TUNNEL_PROTO;
	outer->hop_limit = TTL_DEFAULT;
	read_tunnel_source6((ip6_addr *)&outer->saddr);
	*(ip6_addr *)&outer->daddr = *to;
}

/* Writes the outer header for a backend into the room before the packet, and the frame's type. */
static __always_inline bool write_outer(packet_ctx *ctx, const struct inherited *i, const ip_addr *backend)
{
	struct ethhdr *eth = header(ctx, 0, sizeof(*eth));
	struct ipv6hdr *ip6 = header(ctx, ETH_HLEN, sizeof(*ip6));
	struct iphdr *ip4 = header(ctx, ETH_HLEN, sizeof(*ip4));
	const ip6_addr *end;

	if (outer_len(backend) == sizeof(*ip4)) {
		if (!eth || !ip4)
			return false;
		eth->h_proto = bpf_htons(ETH_P_IP);
		write_ipv4(ip4, i, end_by_ipv4(backend));
		return true;
	}
	end = end_by_ipv6(backend);
	if (!eth || !ip6 || !end)
		return false;
	eth->h_proto = bpf_htons(ETH_P_IPV6);
	write_ipv6(ip6, i, end);
	return true;
}
