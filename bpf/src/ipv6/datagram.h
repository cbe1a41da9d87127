/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The position of an IPv6 fragment in its datagram (RFC 8200 4.5).
 */
#pragma once

#include "header.h"

#define DATAGRAM_MAX 65536 /* the end of a last fragment's span */

static __always_inline bool read_key(packet_ctx *ctx, __u32 at, struct fragment_key *key)
{
	struct ipv6hdr *ip = header(ctx, ETH_HLEN, sizeof(*ip));
	struct fragment_header *fragment = header(ctx, at, sizeof(*fragment));

	if (!ip || !fragment)
		return false;
	*key = (struct fragment_key){ .src = source_of(ip), .dst = destination_of(ip), .id = fragment->id };
	return true;
}

/* The bytes of its datagram that a packet holds. Returns false if no sender could have made such a
 * fragment. */
static __always_inline bool read_span(packet_ctx *ctx, __u32 at, struct span *span)
{
	struct ipv6hdr *ip = header(ctx, ETH_HLEN, sizeof(*ip));
	struct fragment_header *fragment = header(ctx, at, sizeof(*fragment));
	__u32 before = at + sizeof(*fragment) - ETH_HLEN - sizeof(*ip), payload, len;

	if (!ip || !fragment)
		return false;
	payload = bpf_ntohs(ip->payload_len);
	if (payload <= before)
		return false;
	len = payload - before;
	span->from = bpf_ntohs(fragment->offset) & FRAGMENT_OFFSET;
	span->to = span->from + len;
	if (span->to > DATAGRAM_MAX - 1)
		return false;
	if (!(bpf_ntohs(fragment->offset) & FRAGMENT_MORE)) {
		span->to = DATAGRAM_MAX;
		return true;
	}
	return len % 8 == 0;
}

static __always_inline datagram_id new_id(__u64 number)
{
	return bpf_htonl(number);
}

volatile __u32 fragment_ids; /* datagrams and outer packets that got an id of this node */

static __always_inline datagram_id own_id(void)
{
	return new_id(datagram_seed + __sync_fetch_and_add(&fragment_ids, 1));
}

static __always_inline bool rename_datagram(packet_ctx *ctx, __u32 at, datagram_id id)
{
	struct fragment_header *fragment = header(ctx, at, sizeof(*fragment));

	if (!fragment)
		return false;
	fragment->id = id;
	return true;
}
