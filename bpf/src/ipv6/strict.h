/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Sources that a router must not forward: those that no host may have, and those that
 * are only valid on their link (RFC 4291 2.5.2, 2.5.3, 2.5.6, 2.7, 4038 4.2).
 */
#pragma once

#include "parse.h"

/* ::/96 with :: and ::1, ::ffff:0:0/96, fe80::/10, ff00::/8. */
static __always_inline bool is_no_host(const ip_addr *a)
{
	__u32 first = bpf_ntohl(a->word[0]);

	if (!first && !a->word[1] && (!a->word[2] || a->word[2] == bpf_htonl(0xffff)))
		return true;
	return first >> 22 == 0xfe80 >> 6 || first >> 24 == 0xff;
}

static __always_inline enum drop check_header(packet_ctx *ctx)
{
	struct ipv6hdr *ip = header(ctx, ETH_HLEN, sizeof(*ip));

	if (!ip)
		return DROP_MALFORMED;
	return is_no_host((ip_addr *)&ip->saddr) ? DROP_SOURCE : DROP_NONE;
}
