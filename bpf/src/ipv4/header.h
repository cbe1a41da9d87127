/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Changes to an IPv4 header.
 */
#pragma once

#include "csum.h"
#include "parse.h"

#define TTL_DEFAULT 64

/* The change of an IP header's ones' complement sum when its TTL is decremented. */
#define ONE_HOP 0xfffeu

static __always_inline __u32 addresses_change(const ip_addr *src_from, const ip_addr *src_to, const ip_addr *dst_from,
					      const ip_addr *dst_to)
{
	return csum_change(*src_from, *src_to, *dst_from, *dst_to);
}

/* Changes the addresses of a packet and decrements its TTL; change is the change of the
 * addresses' sum. */
static __always_inline void readdress(ip_header *ip, const ip_addr *src, const ip_addr *dst, __u32 change)
{
	ip->saddr = *src;
	ip->daddr = *dst;
	ip->ttl--;
	fix_checksum(&ip->check, csum_add(change, ONE_HOP));
}

static __always_inline ip_addr source_of(const ip_header *ip)
{
	return ip->saddr;
}

static __always_inline ip_addr destination_of(const ip_header *ip)
{
	return ip->daddr;
}

static __always_inline __u8 protocol_of(const ip_header *ip)
{
	return ip->protocol;
}

static __always_inline bool is_tunnel_source(const ip_addr *addr)
{
	return *addr == tunnel_source4;
}

/* The pseudo-header's part of a transport checksum (RFC 9293 3.1, 768). */
static __always_inline __u32 pseudo_sum(const ip_addr *src, const ip_addr *dst, __u8 proto, __u32 len)
{
	return csum_add(csum_add(*src, *dst), bpf_htonl((__u32)proto << 16 | len));
}
