/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The backends of IPv6 services by the address in a tuple. That of an IPv4 backend is mapped
 * (RFC 4291 2.5.5.2).
 */
#pragma once

#include <linux/ip.h>
#include <linux/ipv6.h>

#include "packet.h"

/* The length of the outer header of packets to a backend. */
static __always_inline __u32 outer_len(const ip_addr *backend)
{
	bool mapped = !backend->word[0] && !backend->word[1] && backend->word[2] == bpf_htonl(0xffff);

	return mapped ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
}

/* The destination of an IPv4 outer header. */
static __always_inline __be32 end_by_ipv4(const ip_addr *backend)
{
	return backend->word[3];
}

/* The destination of an IPv6 outer header. */
static __always_inline const ip6_addr *end_by_ipv6(const ip_addr *backend)
{
	return backend;
}
