/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What an outer header has of an IPv4 packet.
 */
#pragma once

#include "datagram.h"
#include "inherited.h"
#include "strict.h"

#define IP_DF 0x4000
#define LABEL_SHIFT 12 /* the upper bits of a product are well mixed: Fibonacci hashing */
#define LABEL_FACTOR 0x9e3779b1u

/* The flow label is made from the client's address alone, so that all fragments of a datagram
 * have the same one. */
static __always_inline struct inherited inherit(const ip_header *inner)
{
	return (struct inherited){
		.len = bpf_ntohs(inner->tot_len), .class = inner->tos, .frag_off = inner->frag_off & bpf_htons(IP_DF),
		.label = bpf_ntohl(inner->saddr) * LABEL_FACTOR >> LABEL_SHIFT,
	};
}

static __always_inline __be16 outer_id(void)
{
	return own_id();
}
