/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The position of an IPv4 fragment in its datagram (RFC 791 3.1).
 */
#pragma once

#include "header.h"

#define DATAGRAM_MAX 65536 /* the end of a last fragment's span */

static __always_inline bool read_key(packet_ctx *ctx, __u32 at, struct fragment_key *key)
{
	struct iphdr *ip = header(ctx, ETH_HLEN, sizeof(*ip));

	(void)at;
	if (!ip)
		return false;
	*key = (struct fragment_key){ .src = ip->saddr, .dst = ip->daddr, .id = ip->id, .proto = ip->protocol };
	return true;
}

/* The bytes of its datagram that a packet holds. Returns false if no router could have made such a
 * fragment. */
static __always_inline bool read_span(packet_ctx *ctx, __u32 at, struct span *span)
{
	struct iphdr *ip = header(ctx, ETH_HLEN, sizeof(*ip));
	__u32 fragment, len;

	(void)at;
	if (!ip)
		return false;
	fragment = bpf_ntohs(ip->frag_off);
	len = bpf_ntohs(ip->tot_len) - ip->ihl * 4;
	span->from = (fragment & IP_OFFSET) * 8;
	span->to = span->from + len;
	if (!len || span->to > DATAGRAM_MAX - 1)
		return false;
	if (!(fragment & IP_MF)) {
		span->to = DATAGRAM_MAX;
		return true;
	}
	return len % 8 == 0;
}

static __always_inline datagram_id new_id(__u64 number)
{
	return bpf_htons(number);
}

volatile __u32 fragment_ids; /* datagrams and outer packets that got an id of this node */

static __always_inline datagram_id own_id(void)
{
	return new_id(datagram_seed + __sync_fetch_and_add(&fragment_ids, 1));
}

static __always_inline bool rename_datagram(packet_ctx *ctx, __u32 at, datagram_id id)
{
	struct iphdr *ip = header(ctx, ETH_HLEN, sizeof(*ip));

	(void)at;
	if (!ip)
		return false;
	fix_checksum(&ip->check, (__u32)(__u16)~ip->id + id);
	ip->id = id;
	return true;
}
