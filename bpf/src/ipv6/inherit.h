/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What an outer header has of an IPv6 packet, which no router may fragment.
 */
#pragma once

#include "datagram.h"
#include "inherited.h"

#define IP_DF 0x4000

static __always_inline struct inherited inherit(const ip_header *inner)
{
	__u32 first = bpf_ntohl(*(const __be32 *)inner);

	return (struct inherited){
		.len = bpf_ntohs(inner->payload_len) + sizeof(*inner), .class = first >> 20, .frag_off = bpf_htons(IP_DF),
		.label = first & 0xfffff,
	};
}

static __always_inline __be16 outer_id(void)
{
	return 0;
}
