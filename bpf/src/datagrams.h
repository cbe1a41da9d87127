/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Datagrams whose first fragment has passed.
 */
#pragma once

#include "datagram.h"

static __always_inline struct fragments *find_datagram(const struct fragment_key *key, __s64 at, __u32 direction)
{
	struct fragments *datagram = bpf_map_lookup_elem(&fragments, key);

	if (!datagram || datagram->direction != direction || datagram->expires <= at)
		return NULL;
	return datagram;
}

/* A fragment of a datagram whose first fragment is a reply. */
static __noinline bool continues_reply(packet_ctx *ctx, const struct packet *pkt)
{
	struct fragment_key key = {};

	return read_key(ctx, pkt->fragment_off, &key) && find_datagram(&key, pkt->now, REPLY);
}
