/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * An IPv6 address, and the types that depend on its size.
 */
#pragma once

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/types.h>
#include <stdbool.h>

#include "addr6.h"

#define ETHERTYPE ETH_P_IPV6
#define ROUTE_FAMILY AF_INET6
#define TUNNEL_PROTO IPPROTO_IPV6 /* of this family inside an IP packet */
#define FRAGMENTS_PADDING __u8 pad[6];

typedef ip6_addr ip_addr;
typedef __be32 datagram_id;

/* Identifies the datagram of a fragment (RFC 8200 4.5). */
struct fragment_key {
	ip_addr src;
	ip_addr dst;
	datagram_id id;
};

static __always_inline bool same_addr(const ip_addr *a, const ip_addr *b)
{
	return same_addr6(a, b);
}
