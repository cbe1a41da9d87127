/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The states of a flow and how packets change them. baton/impl/dataplane/model holds the same
 * rules in Go; docs/conntrack.md explains them.
 *
 * A segment changes the state only if it proves that its sender sees the connection. A RST
 * or FIN must have the sequence number that its receiver expects next. The ACK that
 * completes a handshake must acknowledge the SYN-ACK. A segment without proof is forwarded
 * and changes nothing, because its receiver can judge it better.
 */
#pragma once

#include "count.h"
#include "hash.h"
#include "lease.h"
#include "limits.h"
#include "packet.h"

#define WINDOW_MAX (1 << 30) /* RFC 7323 2.2: no receive window is larger */
#define SEEN_EVERY 1000000000ll /* baton/impl/dataplane.SeenEvery */

static __always_inline __u32 state_of(__u64 word)
{
	return word & WORD_STATE_MASK;
}

static __always_inline __u64 with_state(__u64 word, __u32 state)
{
	return (word & ~WORD_STATE_MASK) | state;
}

static __always_inline __u64 with_origin(__u32 origin)
{
	return (__u64)origin << WORD_ORIGIN_SHIFT;
}

/* A changed copy of a word, to be swapped in for that word. */
static __always_inline __u64 changed(__u64 word)
{
	return (word & ~WORD_CHANGES_MASK) | ((word + WORD_CHANGE) & WORD_CHANGES_MASK);
}

static __always_inline __u64 word_of(const struct conn *conn)
{
	return *(volatile __u64 *)&conn->word;
}

static __always_inline bool has_id(__u64 word, __u32 id)
{
	return word >> WORD_ID_SHIFT == id;
}

static __always_inline bool belongs_to(__u64 word, const struct tuple *original)
{
	return has_id(word, flow_id(original));
}

static __always_inline __u64 owned_by(__u64 word, const struct tuple *original)
{
	return (word & ~0ull >> WORD_ID_SHIFT) | (__u64)flow_id(original) << WORD_ID_SHIFT;
}

/* Swaps the word of an entry. Of several callers that have read the same word, one succeeds. */
static __always_inline bool swap_word(struct conn *conn, __u64 word, __u64 next)
{
	return __sync_val_compare_and_swap(&conn->word, word, next) == word;
}

static __always_inline struct conn *find_conn_of(const struct tuple *original, __u32 id)
{
	struct conn *conn = bpf_map_lookup_elem(&conns, original);
	__u64 word;

	if (!conn)
		return NULL;
	word = word_of(conn);
	return has_id(word, id) && state_of(word) != STATE_DEAD ? conn : NULL;
}

static __always_inline struct conn *find_conn(const struct tuple *original)
{
	return find_conn_of(original, flow_id(original));
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

/* A segment of an established connection, from which the connection can be adopted. */
static __always_inline bool is_mid_flow(const struct packet *pkt)
{
	return (pkt->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_ACK;
}

static __always_inline enum direction opposite(enum direction direction)
{
	return direction == ORIGINAL ? REPLY : ORIGINAL;
}

static __always_inline bool expects(const struct conn *conn, __u64 word, enum direction direction, __u32 seq)
{
	return (word & WORD_EXPECTS << direction) && conn->expected[direction] == seq;
}

/* RFC 9293 3.10.7.3: a backend refuses a SYN by a RST that acknowledges it. */
static __always_inline bool refuses(const struct conn *conn, __u64 word, const struct packet *pkt,
				    enum direction direction)
{
	return direction == REPLY && state_of(word) == STATE_SYN_SENT && !(word & WORD_EXPECTS << REPLY) &&
	       (pkt->tcp_flags & TCP_ACK) && expects(conn, word, ORIGINAL, pkt->ack);
}

static __always_inline __u64 tcp_closing(__u64 word, const struct packet *pkt, enum direction direction,
					 bool in_order)
{
	const __u64 both = WORD_FIN << ORIGINAL | WORD_FIN << REPLY;

	if (!(pkt->tcp_flags & TCP_FIN) || !in_order)
		return word;
	word |= WORD_FIN << direction;
	return with_state(word, (word & both) == both ? STATE_CLOSED : STATE_FIN_WAIT);
}

/* The client's ACK of the backend's SYN-ACK completes the handshake, so a flood of SYNs and
 * ACKs does not get a long timeout. A backend that sends anything but a SYN-ACK has seen
 * that ACK, even if this node has not. */
static __always_inline __u64 tcp_opening(const struct conn *conn, __u64 word, const struct packet *pkt,
					 enum direction direction, bool in_order)
{
	bool completes = direction == REPLY;

	if (direction == ORIGINAL && (word & WORD_REPLY_SEEN))
		completes = !(word & WORD_EXPECTS << REPLY) || conn->expected[REPLY] == pkt->ack;
	if (!completes || !(pkt->tcp_flags & TCP_ACK))
		return word;
	return tcp_closing(with_state(word, STATE_ESTABLISHED), pkt, direction, in_order);
}

/* A SYN-ACK that does not repeat the last one belongs to a new connection: the backend has
 * forgotten the old one with the same tuple. */
static __always_inline bool is_new_syn_ack(const struct conn *conn, __u64 word, const struct packet *pkt,
					   enum direction direction)
{
	return direction == REPLY && (pkt->tcp_flags & TCP_ACK) && !expects(conn, word, REPLY, pkt->seq + 1);
}

static __always_inline __u64 tcp_syn_ack(__u64 word)
{
	word |= WORD_EXPECTS << ORIGINAL | WORD_EXPECTS << REPLY;
	switch (state_of(word)) {
	case STATE_SYN_SENT:
		return word | WORD_REPLY_SEEN;
	case STATE_FIN_WAIT:
		word &= ~(WORD_FIN << ORIGINAL | WORD_FIN << REPLY);
		return with_state(word | WORD_REPLY_SEEN, STATE_SYN_SENT);
	}
	return word;
}

static __always_inline __u64 tcp_next(const struct conn *conn, __u64 word, const struct packet *pkt,
				      enum direction direction, bool in_order)
{
	if (pkt->tcp_flags & TCP_RST)
		return in_order || refuses(conn, word, pkt, direction) ? with_state(word, STATE_CLOSED) : word;
	if (pkt->tcp_flags & TCP_SYN)
		return is_new_syn_ack(conn, word, pkt, direction) ? tcp_syn_ack(word) : word;
	switch (state_of(word)) {
	case STATE_SYN_SENT:
		word = tcp_opening(conn, word, pkt, direction, in_order);
		break;
	case STATE_ESTABLISHED:
	case STATE_FIN_WAIT:
		word = tcp_closing(word, pkt, direction, in_order);
		break;
	}
	if ((pkt->tcp_flags & TCP_ACK) && state_of(word) != STATE_SYN_SENT)
		word |= WORD_EXPECTS << opposite(direction);
	return word;
}

/* The receiver of a direction acknowledges what it expects next. An ACK that is behind is
 * from an earlier time, when data was in flight; the newer one counts. */
static __always_inline void acknowledge(struct conn *conn, __u64 word, enum direction direction, __u32 ack)
{
	__s32 ahead = ack - conn->expected[direction];

	if (!(word & WORD_EXPECTS << direction) || ahead > 0 || ahead < -WINDOW_MAX)
		conn->expected[direction] = ack;
	conn->acked[direction] = ack;
}

/* Follows the sequence numbers, before next, which marks them as known, replaces word. Data counts only where the receiver expects it, and an ACK only if its sender is in
 * sequence. */
static __always_inline void follow(struct conn *conn, __u64 word, __u64 next, const struct packet *pkt,
				   enum direction direction, bool in_order)
{
	__u8 flags = pkt->tcp_flags;

	if (flags & TCP_RST)
		return;
	if (flags & TCP_SYN) {
		if (is_new_syn_ack(conn, word, pkt, direction)) {
			conn->expected[REPLY] = pkt->seq + 1;
			conn->acked[REPLY] = pkt->seq;
			conn->expected[ORIGINAL] = conn->acked[ORIGINAL] = pkt->ack;
		}
		return;
	}
	if (in_order && (pkt->payload || (flags & TCP_FIN)))
		conn->expected[direction] = pkt->seq + pkt->payload + !!(flags & TCP_FIN);
	if ((flags & TCP_ACK) && state_of(next) != STATE_SYN_SENT)
		acknowledge(conn, word, opposite(direction), pkt->ack);
}

static __always_inline __u64 advance_tcp(struct conn *conn, __u64 word, const struct packet *pkt,
					 enum direction direction, bool in_order)
{
	__u64 next = tcp_next(conn, word, pkt, direction, in_order);

	follow(conn, word, next, pkt, direction, in_order);
	return next;
}

/* A RST, FIN or SYN that has not had its effect on the flow. */
static __always_inline bool is_unproven(__u64 next, const struct packet *pkt, enum direction direction)
{
	__u32 state = state_of(next);
	__u8 flags = pkt->tcp_flags;

	if (!(flags & (TCP_RST | TCP_SYN | TCP_FIN)) || state == STATE_CLOSED)
		return false;
	if (flags & TCP_RST)
		return true;
	if (flags & TCP_SYN)
		return direction == ORIGINAL && state != STATE_SYN_SENT;
	return !(next & WORD_FIN << direction);
}

/* The word of the entry that pkt creates in the original direction. An adopted flow waits
 * for its backend's reply like a new flow, so a flood of stray segments does not get a long
 * timeout. */
static __always_inline __u64 first_word(const struct packet *pkt)
{
	__u64 word = with_origin(opens(pkt) ? ORIGIN_OPENED : ORIGIN_ADOPTED);

	if (pkt->tuple.proto == IPPROTO_UDP)
		word |= STATE_UNREPLIED;
	else if (pkt->tuple.proto == IPPROTO_SCTP)
		word |= STATE_SYN_SENT;
	else
		word |= STATE_SYN_SENT | WORD_EXPECTS << (is_fresh_syn(pkt) ? ORIGINAL : REPLY);
	return owned_by(word, &pkt->tuple);
}

/* If a backend resets an unconfirmed adopted flow, the flow was adopted to the wrong
 * backend. The client must not get that RST. */
static __always_inline bool is_unearned(const struct conn *conn, const struct packet *pkt)
{
	struct control *c = get_control();
	__u64 word = word_of(conn);

	return c && c->miss != MISS_GUESS && (pkt->tcp_flags & TCP_RST) &&
	       state_of(word) == STATE_SYN_SENT && (word & WORD_ORIGIN_MASK) == with_origin(ORIGIN_ADOPTED);
}

/* Whether a backend answers the flow's SYN by the ACK of a connection that it still has from the same
 * port (RFC 5961 4.2). */
static __always_inline bool meets_old_connection(const struct conn *conn, const struct packet *pkt,
						 enum direction direction)
{
	__u64 word = word_of(conn);

	return direction == REPLY && pkt->tuple.proto == IPPROTO_TCP && is_mid_flow(pkt) &&
	       state_of(word) == STATE_SYN_SENT && !(word & WORD_REPLY_SEEN) && (word & WORD_EXPECTS << ORIGINAL) &&
	       conn->expected[ORIGINAL] != pkt->ack;
}

/* A new connection may reuse the tuple of a closed one, with another backend. */
static __always_inline bool reopens(__u64 word, const struct packet *pkt)
{
	return is_fresh_syn(pkt) && state_of(word) == STATE_CLOSED;
}

/* Whether a reply tells the client that its flow is established: the SYN-ACK or INIT ACK, and every
 * datagram of a UDP flow that is not assured yet. User space assures the flow by sending
 * one. */
static __always_inline bool tells_client(const struct conn *conn, const struct packet *pkt)
{
	__u32 state = state_of(word_of(conn));

	if (pkt->tuple.proto == IPPROTO_UDP)
		return state == STATE_UNREPLIED;
	return state == STATE_SYN_SENT && (pkt->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK);
}
