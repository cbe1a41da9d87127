/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * How a packet changes the entry of its flow: by the rules of conntrack.h or, for a direct
 * flow, by those of direct.h.
 *
 * Several functions are not inlined: the verifier then checks each of them once, with any
 * arguments, and not on every path that leads to it.
 */
#pragma once

#include "direct.h"
#include "events.h"

#define SWAP_ATTEMPTS 4

/* Whether the packet's sequence numbers, or its tag, prove its sender. */
static __always_inline bool proves(const struct conn *conn, __u64 word, const struct packet *pkt, enum direction direction)
{
	if (pkt->tuple.proto == IPPROTO_UDP)
		return false;
	if (pkt->tuple.proto == IPPROTO_SCTP)
		return is_direct(&conn->reply) ? is_proven_direct_sctp(conn, pkt) : is_proven_sctp(conn, pkt, direction);
	return is_direct(&conn->reply) ? is_proven_direct(conn, word, pkt) : expects(conn, word, direction, pkt->seq);
}

/* Follows the sequence numbers or tags of the packet, and returns the entry's next word. */
__noinline __u64 advance(struct conn *conn, __u64 word, const struct packet *pkt, __u32 direction, __u32 proven)
{
	enum direction of = direction == ORIGINAL ? ORIGINAL : REPLY;

	if (!conn || !pkt)
		return word;
	if (is_direct(&conn->reply))
		return advance_direct(conn, word, pkt, proven);
	if (pkt->tuple.proto == IPPROTO_TCP)
		return advance_tcp(conn, word, pkt, of, proven);
	if (pkt->tuple.proto == IPPROTO_SCTP)
		return advance_sctp(conn, word, pkt, of, proven);
	return of == REPLY ? with_state(word, STATE_ASSURED) : word;
}

/* Swaps in the word after the packet. A change of state is reported as an event. */
__noinline int move(struct conn *conn, const struct tuple *original, __u64 word, __u64 next)
{
	struct event *e;

	if (!conn || !original)
		return false;
	next = changed(next);
	if (state_of(next) == state_of(word))
		return swap_word(conn, word, next);
	e = reserve_event();
	if (!swap_word(conn, word, next)) {
		discard_event(e);
		return false;
	}
	submit_event(e, original, &conn->reply, next, 0);
	return true;
}

/* Marks the flow as seen: when its state has changed, and otherwise once a second. What its
 * packets rely on (see hop.h) is then looked up again. */
static __always_inline void mark_seen(struct conn *conn, __s64 at, bool moved)
{
	if (!moved && at - conn->last_seen < SEEN_EVERY)
		return;
	conn->last_seen = at;
	conn->hop[ORIGINAL] = conn->hop[REPLY] = 0;
}

static __always_inline void count_unproven(void)
{
	struct counters *c = count();

	if (c)
		c->unproven++;
}

/* Changes the entry with the id as the packet demands, and marks it as seen. A segment without
 * proof does not keep the entry alive, nor does a client that repeats its opening packet. */
__noinline int track(struct conn *conn, const struct tuple *original, __u32 id, const struct packet *pkt, __u32 direction)
{
	enum direction of = direction == ORIGINAL ? ORIGINAL : REPLY;
	__u64 word = 0, next = 0;
	bool proven, moved;

	if (!conn || !original || !pkt)
		return 0;
	proven = proves(conn, word_of(conn), pkt, of);
	for (int i = 0; i < SWAP_ATTEMPTS; i++) {
		word = word_of(conn);
		if (!has_id(word, id) || state_of(word) == STATE_DEAD || (word & WORD_REOPENING))
			return 0;
		next = advance(conn, word, pkt, of, proven);
		if (next == word || move(conn, original, word, next))
			break;
	}
	moved = state_of(next) != state_of(word);
	if (limited && moved)
		count_moved_flow(original, state_of(word), state_of(next));
	if (is_unproven(next, pkt, of))
		count_unproven();
	else if (moved || of == REPLY || !is_fresh_syn(pkt))
		mark_seen(conn, pkt->now, moved);
	return 0;
}
