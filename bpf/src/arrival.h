/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Classifies a packet that has arrived on a link, and decides by the entry of its flow.
 * The programs of both hooks start here. Nothing here has an effect, so XDP may run it on a
 * packet and leave the packet to TCX, which runs it again.
 */
#pragma once

#include "datagrams.h"
#include "hop.h"
#include "relay.h"
#include "roles.h"
#include "service.h"
#include "strict.h"
#include "track.h"

enum fate {
	FATE_HOST, /* no VIP: for the host */
	FATE_DROP,
	FATE_RELAY, /* this node has no lease */
	FATE_ECHO,
	FATE_EXPIRED, /* its TTL has expired */
	FATE_TOO_BIG,
	FATE_ERROR, /* an ICMP error */
	FATE_FRAGMENT,
	FATE_SEGMENT,
};

struct arrival {
	struct conn *conn;	      /* the entry of its flow, or NULL */
	const struct tuple *original; /* of its flow; NULL for a reply that no flow expects */
	__u64 hop;		      /* the result of current_hop, or 0 */
	__u32 id;		      /* flow_id of original */
	__u32 mtu;		      /* of FATE_TOO_BIG */
	enum drop reason;	      /* of FATE_DROP */
	__u16 stamp;
	bool encapsulated; /* the client's packet is encapsulated for its backend */
};

/* Reads the packet. Returns why a packet of a VIP must be dropped, or DROP_NONE. */
static __always_inline enum drop parse_packet(packet_ctx *ctx, struct packet *pkt)
{
	enum drop reason = parse_transport(ctx, pkt);

	if (!is_to_host(ctx))
		return DROP_MALFORMED;
	return reason == DROP_NONE ? check_header(ctx) : reason;
}

static __always_inline void find_original(const struct packet *pkt, struct arrival *a, enum drop reason)
{
	a->original = &pkt->tuple;
	if (reason != DROP_NONE || !pkt->has_ports)
		return;
	a->id = flow_id(&pkt->tuple);
	a->conn = find_conn_of(&pkt->tuple, a->id);
}

/* Replies go to the SNAT address or, in dnat mode, directly to the client. The latter
 * are recognised by their tuple or, without an entry, by their sender. */
static __always_inline void find_reply(const struct packet *pkt, struct arrival *a, enum drop reason)
{
	struct conn *conn;

	if (pkt->has_ports)
		a->original = bpf_map_lookup_elem(&replies, &pkt->tuple);
	if (!a->original || reason != DROP_NONE)
		return;
	a->id = flow_id(a->original);
	conn = find_conn_of(a->original, a->id);
	if (conn && same_tuple(&conn->reply, &pkt->tuple))
		a->conn = conn;
}

static __always_inline bool is_of_backend(packet_ctx *ctx, const struct packet *pkt, const struct tuple *original)
{
	__u32 roles = roles_of(&pkt->tuple.dst);

	if (roles & ADDR_OWN)
		return false;
	if (pkt->kind == KIND_FRAGMENT && !(roles & ADDR_VIRTUAL))
		return continues_reply(ctx, pkt);
	return (roles & ADDR_VIRTUAL) || original || (pkt->has_ports && is_dnat_sender(&pkt->tuple));
}

/* A flow with a remembered hop was found to be balanced. */
static __always_inline bool is_balanced(packet_ctx *ctx, const struct packet *pkt, const struct arrival *a,
					enum direction direction)
{
	if (a->hop)
		return true;
	if (direction == ORIGINAL)
		return roles_of(&pkt->tuple.dst) & ADDR_VIRTUAL;
	return is_of_backend(ctx, pkt, a->original);
}

/* Reads a packet of a direction and looks up its flow. */
static __always_inline enum fate judge(packet_ctx *ctx, struct packet *pkt, struct arrival *a, enum direction direction)
{
	__u32 mtu = 0;

	pkt->now = now();
	a->stamp = hop_stamp(pkt->now);
	if (!parse_addresses(ctx, pkt))
		return FATE_HOST;
	a->reason = parse_packet(ctx, pkt);
	if (direction == ORIGINAL)
		find_original(pkt, a, a->reason);
	else
		find_reply(pkt, a, a->reason);
	a->hop = a->conn ? current_hop(a->conn, pkt, direction) : 0;
	a->encapsulated = a->hop & HOP_ENCAPSULATED;
	if (!is_balanced(ctx, pkt, a, direction))
		return FATE_HOST;
	pkt->relayed = !lease_holds(pkt->now);
	if (pkt->relayed && !is_relayed(ctx, direction))
		return FATE_RELAY;
	if (a->reason != DROP_NONE)
		return FATE_DROP;
	if (pkt->kind == KIND_ECHO)
		return FATE_ECHO;
	if (pkt->ttl <= 1)
		return FATE_EXPIRED;
	if (is_too_big(ctx, egress(direction), &mtu)) {
		a->mtu = mtu;
		return FATE_TOO_BIG;
	}
	if (pkt->kind == KIND_ERROR)
		return FATE_ERROR;
	return pkt->kind == KIND_FRAGMENT ? FATE_FRAGMENT : FATE_SEGMENT;
}

/* The tuple with which a packet of the flow leaves; see leaves_unchanged. */
static __always_inline struct tuple target_of(const struct arrival *a, enum direction direction)
{
	struct tuple to = reversed(direction == ORIGINAL ? &a->conn->reply : a->original);

	encapsulate_for(&to, a->encapsulated);
	return to;
}

/* Why a packet of the flow is not forwarded, or DROP_NONE. The entry's memory may belong
 * to another flow by now; if it does not, what was read of it before is valid. */
static __always_inline enum drop may_follow(const struct packet *pkt, const struct arrival *a, enum direction direction)
{
	if (direction == ORIGINAL && !has_id(word_of(a->conn), a->id))
		return DROP_MISS;
	if (direction == REPLY && is_unearned(a->conn, pkt))
		return DROP_UNCONFIRMED;
	return pkt->relayed && moves(a->conn, pkt, direction) ? DROP_RELAYED : DROP_NONE;
}
