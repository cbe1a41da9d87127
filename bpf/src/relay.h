/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Packets of a VIP that reach a node without the lease: the old MASTER while the role changes
 * hands, and later the BACKUP, from hosts that have not heard the announcement. The node relays
 * them to its peer. Each packet is handled once: a node either forwards it under its lease or
 * relays it. A peer that has no lease yet forwards relayed packets by the entries that it has, and
 * drops those that would change the table, because only a MASTER changes it.
 */
#pragma once

#include "direct.h"

/* The peer's address on the link on which packets of a direction arrive. */
static __always_inline const volatile __u8 *peer_mac(enum direction direction)
{
	return direction == ORIGINAL ? peer_client_mac : peer_backend_mac;
}

static __always_inline bool is_known(const volatile __u8 *mac)
{
	return mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5];
}

/* The peer has relayed the frame. */
static __always_inline bool is_peers(const struct ethhdr *eth, enum direction direction)
{
	const volatile __u8 *peer = peer_mac(direction);

	if (!is_known(peer))
		return false;
	for (int i = 0; i < ETH_ALEN; i++) {
		if (eth->h_source[i] != peer[i])
			return false;
	}
	return true;
}

static __always_inline bool is_relayed(packet_ctx *ctx, enum direction direction)
{
	struct ethhdr *eth = header(ctx, 0, sizeof(*eth));

	return eth && is_peers(eth, direction);
}

/* The packet would change the state of its flow. */
static __always_inline bool moves(const struct conn *conn, const struct packet *pkt, enum direction direction)
{
	__u64 word = word_of(conn);

	if (pkt->tuple.proto != IPPROTO_UDP)
		return pkt->chunk == SCTP_COOKIE_ACK || (pkt->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST)) || state_of(word) == STATE_SYN_SENT;
	return (direction == REPLY || is_direct(&conn->reply)) && state_of(word) != STATE_ASSURED;
}
