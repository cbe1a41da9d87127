/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Changes to an IPv6 header, which has no checksum.
 */
#pragma once

#include "csum.h"
#include "parse.h"

#define TTL_DEFAULT 64

static __always_inline __u32 addresses_change(const ip_addr *src_from, const ip_addr *src_to, const ip_addr *dst_from,
					      const ip_addr *dst_to)
{
	__u32 change = 0;

	for (int i = 0; i < 4; i++)
		change = csum_add(change, csum_change(src_from->word[i], src_to->word[i], dst_from->word[i],
						      dst_to->word[i]));
	return change;
}

static __always_inline ip_addr source_of(const ip_header *ip)
{
	return *(const ip_addr *)&ip->saddr;
}

static __always_inline ip_addr destination_of(const ip_header *ip)
{
	return *(const ip_addr *)&ip->daddr;
}

static __always_inline void set_addresses(ip_header *ip, const ip_addr *src, const ip_addr *dst)
{
	*(ip_addr *)&ip->saddr = *src;
	*(ip_addr *)&ip->daddr = *dst;
}

/* Changes the addresses of a packet and decrements its hop limit; change, the change of the
 * addresses' sum, is for the transport checksum only. */
static __always_inline void readdress(ip_header *ip, const ip_addr *src, const ip_addr *dst, __u32 change)
{
	(void)change;
	set_addresses(ip, src, dst);
	ip->hop_limit--;
}

static __always_inline __u8 protocol_of(const ip_header *ip)
{
	return ip->nexthdr;
}

static __always_inline bool is_tunnel_source(const ip_addr *addr)
{
	return addr->word[0] == tunnel_source6.word[0] && addr->word[1] == tunnel_source6.word[1] &&
	       addr->word[2] == tunnel_source6.word[2] && addr->word[3] == tunnel_source6.word[3];
}

/* The pseudo-header's part of a message's checksum (RFC 8200 8.1). */
static __always_inline __u32 pseudo_sum(const ip_addr *src, const ip_addr *dst, __u8 proto, __u32 len)
{
	__u32 sum = csum_add(bpf_htonl(len), bpf_htonl(proto));

	for (int i = 0; i < 4; i++)
		sum = csum_add(sum, csum_add(src->word[i], dst->word[i]));
	return sum;
}
