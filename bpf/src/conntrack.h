/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The states of a flow and how packets move them. baton/impl/dataplane/model
 * holds the same rules in Go.
 */
#pragma once

#include "events.h"
#include "lease.h"
#include "parse.h"

#define SWAP_ATTEMPTS 4

static __always_inline __u32 state_of(__u32 word)
{
	return word & WORD_STATE_MASK;
}

static __always_inline __u32 with_state(__u32 word, __u32 state)
{
	return (word & ~WORD_STATE_MASK) | state;
}

/* The first segment of a connection. */
static __always_inline bool is_fresh_syn(const struct packet *pkt)
{
	return (pkt->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

/* The first packet of a flow. */
static __always_inline bool opens(const struct packet *pkt)
{
	return pkt->tuple.proto == IPPROTO_UDP || is_fresh_syn(pkt);
}

/* A segment of an established connection, from which one can be adopted. */
static __always_inline bool is_mid_flow(const struct packet *pkt)
{
	return (pkt->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_ACK;
}

static __always_inline __u32 tcp_closing(__u32 word, __u8 flags, enum direction direction)
{
	const __u32 both = WORD_FIN_ORIGINAL | WORD_FIN_REPLY;

	if (!(flags & TCP_FIN))
		return word;
	word |= direction == ORIGINAL ? WORD_FIN_ORIGINAL : WORD_FIN_REPLY;
	return with_state(word, (word & both) == both ? STATE_CLOSED : STATE_FIN_WAIT);
}

/* The handshake is complete with the client's ACK of the backend's SYN-ACK: a
 * flood of SYNs earns no long timeout. A backend that sends anything but a
 * SYN-ACK has seen that ACK, even if this node has not. */
static __always_inline __u32 tcp_opening(__u32 word, __u8 flags, enum direction direction)
{
	bool syn = flags & TCP_SYN, ack = flags & TCP_ACK;

	if (direction == REPLY && syn && ack)
		return word | WORD_REPLY_SEEN;
	if (!syn && ack && (direction == REPLY || (word & WORD_REPLY_SEEN)))
		return tcp_closing(with_state(word, STATE_ESTABLISHED), flags, direction);
	return word;
}

static __always_inline __u32 tcp_next(__u32 word, __u8 flags, enum direction direction)
{
	if (flags & TCP_RST)
		return with_state(word, STATE_CLOSED);
	switch (state_of(word)) {
	case STATE_SYN_SENT:
		return tcp_opening(word, flags, direction);
	case STATE_ESTABLISHED:
	case STATE_FIN_WAIT:
		return tcp_closing(word, flags, direction);
	}
	return word;
}

static __always_inline __u32 next_word(__u32 word, const struct packet *pkt, enum direction direction)
{
	if (pkt->tuple.proto == IPPROTO_TCP)
		return tcp_next(word, pkt->tcp_flags, direction);
	return direction == REPLY ? STATE_ASSURED : word;
}

/* The word of an entry that pkt, in the original direction, creates. One that is
 * adopted waits for its backend's word as a new one does: a flood of segments of no
 * connection earns no long timeout. */
static __always_inline __u32 first_word(const struct packet *pkt)
{
	return pkt->tuple.proto == IPPROTO_UDP ? STATE_UNREPLIED : STATE_SYN_SENT;
}

/* A new connection may reuse the tuple of one that is over. */
static __always_inline bool reopens(__u32 word, const struct packet *pkt)
{
	__u32 state = state_of(word);

	return pkt->tuple.proto == IPPROTO_TCP && is_fresh_syn(pkt) &&
	       (state == STATE_CLOSED || state == STATE_FIN_WAIT);
}

static __always_inline struct conn *find_conn(const struct tuple *original)
{
	struct conn *conn = bpf_map_lookup_elem(&conns, original);

	return conn && conn->word != STATE_DEAD ? conn : NULL;
}

/* Marks the entry as seen and moves its state. Whoever moves it reports it. */
static __always_inline void track(struct conn *conn, const struct tuple *original, const struct packet *pkt,
				  enum direction direction)
{
	__u32 word, next;

	conn->last_seen = now();
	for (int i = 0; i < SWAP_ATTEMPTS; i++) {
		word = *(volatile __u32 *)&conn->word;
		next = next_word(word, pkt, direction);
		if (word == STATE_DEAD || (word & WORD_REOPENING) || next == word)
			return;
		if (__sync_val_compare_and_swap(&conn->word, word, next) != word)
			continue;
		if (state_of(next) != state_of(word))
			emit(original, &conn->reply, state_of(next), conn->origin);
		return;
	}
}
