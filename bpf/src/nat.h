/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Translation.
 */
#pragma once

#include "crc32c.h"
#include "direct.h"
#include "transport.h"

struct ports {
	__be16 source;
	__be16 dest;
};

/* Decrements the TTL, and changes nothing else. */
static __always_inline void age_header(ip_header *ip)
{
	ip_addr src = source_of(ip), dst = destination_of(ip);

	readdress(ip, &src, &dst, 0);
}

static __always_inline bool age(packet_ctx *ctx)
{
	ip_header *ip = header(ctx, ETH_HLEN, sizeof(*ip));

	if (!ip)
		return false;
	age_header(ip);
	return true;
}

/* Whether the packet may be the first fragment of several. A CRC cannot be changed for other ports before
 * the length of the whole is known. Not inlined, like track. */
__noinline int may_be_fragmented(const struct packet *pkt, const struct tuple *to)
{
	if (!pkt || !to)
		return false;
	return pkt->tuple.proto != IPPROTO_SCTP || leaves_unchanged(to) ||
	       (pkt->tuple.sport == to->sport && pkt->tuple.dport == to->dport);
}

/* Rewrites the packet to the tuple to, and decrements its TTL. */
static __always_inline bool translate(packet_ctx *ctx, const struct packet *pkt, const struct tuple *to)
{
	const struct tuple *from = &pkt->tuple;
	ip_header *ip = header(ctx, ETH_HLEN, sizeof(*ip));
	struct ports *ports = header(ctx, pkt->l4_off, sizeof(*ports));
	__u32 addresses = addresses_change(&from->src, &to->src, &from->dst, &to->dst);
	__u32 port_change = csum_change(from->sport, to->sport, from->dport, to->dport);

	if (leaves_unchanged(to))
		return age(ctx);
	if (!ip || !ports)
		return false;
	readdress(ip, &to->src, &to->dst, addresses);
	ports->source = to->sport;
	ports->dest = to->dport;
	if (pkt->tuple.proto == IPPROTO_SCTP)
		return fix_crc(ctx, pkt, (from->sport ^ to->sport) | (__u32)(from->dport ^ to->dport) << 16);
	return fix_transport_checksum(ctx, pkt, addresses, port_change);
}
