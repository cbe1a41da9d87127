/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * An IPv4 address, and the types that depend on its size.
 */
#pragma once

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/types.h>
#include <stdbool.h>

#define ETHERTYPE ETH_P_IP
#define ROUTE_FAMILY AF_INET
#define TUNNEL_PROTO IPPROTO_IPIP /* of this family inside an IP packet */
#define FRAGMENTS_PADDING

typedef __be32 ip_addr;
typedef __be16 datagram_id;

/* Identifies the datagram of a fragment (RFC 791 3.2). */
struct fragment_key {
	ip_addr src;
	ip_addr dst;
	datagram_id id;
	__u8 proto;
	__u8 pad;
};

static __always_inline bool same_addr(const ip_addr *a, const ip_addr *b)
{
	return *a == *b;
}
