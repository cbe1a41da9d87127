/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The backends of IPv4 services by the address in a tuple. That of an IPv6 backend has no room
 * there: the tuple holds its number in tunnel_ends, as an address of 0.0.0.0/16, which no host
 * has (RFC 1122 3.2.1.3).
 */
#pragma once

#include <linux/ip.h>
#include <linux/ipv6.h>

#include "packet.h"

#define TUNNEL_ENDS_MAX 65536

/* User space assigns the numbers, see bpf/tunnelends.go. 0 is none. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TUNNEL_ENDS_MAX);
	__type(key, __u32);
	__type(value, ip6_addr);
} tunnel_ends SEC(".maps");

/* The length of the outer header of packets to a backend. */
static __always_inline __u32 outer_len(const ip_addr *backend)
{
	return bpf_ntohl(*backend) < TUNNEL_ENDS_MAX ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

/* The destination of an IPv4 outer header. */
static __always_inline __be32 end_by_ipv4(const ip_addr *backend)
{
	return *backend;
}

/* The destination of an IPv6 outer header, or NULL. */
static __always_inline const ip6_addr *end_by_ipv6(const ip_addr *backend)
{
	__u32 number = bpf_ntohl(*backend);

	return bpf_map_lookup_elem(&tunnel_ends, &number);
}
