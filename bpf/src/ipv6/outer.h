/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The outer header of an encapsulated IPv6 packet (RFC 2473).
 */
#pragma once

#include "datagram.h"

#define ENCAPSULATION BPF_F_ADJ_ROOM_ENCAP_L3_IPV6

/* What the outer header has of the packet: its traffic class (RFC 6040 4.1), and its flow label, by
 * which routers and the backend's queues tell flows apart (RFC 6438). */
struct inherited {
	__u32 len; /* of the packet */
	__be32 first; /* the first word of its header */
};

static __always_inline struct inherited inherit(const ip_header *inner)
{
	return (struct inherited){ .len = bpf_ntohs(inner->payload_len) + sizeof(*inner), .first = *(const __be32 *)inner };
}

static __always_inline bool needs_id(const struct inherited *i)
{
	(void)i;
	return false;
}

static __always_inline void write_outer(ip_header *outer, const struct inherited *i, const ip_addr *to)
{
	ip_addr *from = (ip_addr *)&outer->saddr;

	*(__be32 *)outer = i->first;
	outer->payload_len = bpf_htons(i->len);
	outer->nexthdr = TUNNEL_PROTO;
	outer->hop_limit = TTL_DEFAULT;
	for (int n = 0; n < 4; n++)
		from->word[n] = tunnel_source.word[n];
	*(ip_addr *)&outer->daddr = *to;
}
