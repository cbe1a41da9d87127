/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The outer header of an encapsulated IPv4 packet (RFC 2003).
 */
#pragma once

#include "datagram.h"
#include "strict.h"

#define ENCAPSULATION BPF_F_ADJ_ROOM_ENCAP_L3_IPV4
#define IP_DF 0x4000

/* What the outer header has of the packet: its DSCP and ECN (RFC 6040 4.1), and its DF, so that a
 * router on the way may fragment what the sender allows to be fragmented, and nothing else. */
struct inherited {
	__u32 len; /* of the packet */
	__u8 tos;
	__be16 frag_off;
};

static __always_inline struct inherited inherit(const ip_header *inner)
{
	return (struct inherited){
		.len = bpf_ntohs(inner->tot_len), .tos = inner->tos, .frag_off = inner->frag_off & bpf_htons(IP_DF),
	};
}

static __always_inline bool needs_id(const struct inherited *i)
{
	return !i->frag_off;
}

/* Writes the outer header. Only a packet without DF needs an id (RFC 6864 4.1). */
static __always_inline void write_outer(ip_header *outer, const struct inherited *i, const ip_addr *to)
{
	*outer = (ip_header){
		.version = 4, .ihl = sizeof(*outer) / 4, .tos = i->tos, .tot_len = bpf_htons(i->len + sizeof(*outer)),
		.frag_off = i->frag_off, .ttl = TTL_DEFAULT, .protocol = TUNNEL_PROTO, .saddr = tunnel_source, .daddr = *to,
	};
	if (needs_id(i))
		outer->id = own_id();
	fix_checksum(&outer->check, header_sum(outer));
}
