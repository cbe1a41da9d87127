/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Whether an entry is consistent. Packets cannot use an inconsistent entry, or only in
 * one direction: its memory or the claim of its reply tuple was damaged.
 */
#pragma once

#include "claim.h"
#include "conntrack.h"

static __always_inline bool is_state_of(__u8 proto, __u32 state)
{
	if (proto != IPPROTO_UDP)
		return state >= STATE_SYN_SENT && state <= STATE_CLOSED;
	return state == STATE_UNREPLIED || state == STATE_ASSURED;
}

/* Whether the flow has the reply tuple: claimed, or of a direct flow. */
static __always_inline bool is_reply_of(const struct tuple *original, const struct tuple *reply)
{
	if (!reply->dport)
		return reply->sport == original->dport && same_addr(&reply->dst, &original->src);
	return is_claim_of(reply, original);
}

static __always_inline bool is_sound(const struct tuple *original, const struct conn *conn)
{
	__u64 word = word_of(conn);
	struct tuple reply = conn->reply;

	return belongs_to(word, original) && is_state_of(original->proto, state_of(word)) && !(word & WORD_REOPENING) &&
	       conn->last_seen <= now() && reply.proto == original->proto &&
	       (!original->sport || is_reply_of(original, &reply));
}

/* Whether an entry has the reply tuple. */
static __always_inline bool stands_on(const struct tuple *original, const struct tuple *reply)
{
	struct conn *conn = bpf_map_lookup_elem(&conns, original);

	return conn && same_tuple(&conn->reply, reply);
}

/* Removes an inconsistent entry, and its claim if it owns it. */
static __always_inline bool remove_damaged(const struct tuple *original)
{
	struct conn *conn = bpf_map_lookup_elem(&conns, original);
	struct tuple reply;

	if (!conn || is_sound(original, conn))
		return false;
	reply = conn->reply;
	release_reply(&reply, original);
	bpf_map_delete_elem(&conns, original);
	return true;
}

static long check_record(__u32 i, void *context)
{
	struct batch_args *args = context;
	struct record *r = bpf_map_lookup_elem(&batch, &i);
	struct conn *conn;

	if (!r)
		return 1;
	conn = bpf_map_lookup_elem(&conns, &r->original);
	if (conn && is_sound(&r->original, conn))
		args->done++;
	else
		r->conn.word = STATE_DEAD;
	return 0;
}
