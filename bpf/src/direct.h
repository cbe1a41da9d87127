/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Direct flows: the backend answers the client without the node, which sees one direction.
 * baton/impl/dataplane/model/direct.go holds the same rules.
 *
 * Only the client's own numbers can prove that the client sent a segment: the sequence number
 * that continues its last segment, or the acknowledgement number of that segment; or, after
 * segments that were lost or overtaken, both a little ahead of those.
 */
#pragma once

#include "across.h"
#include "association.h"

/* Whether the reply tuple is that of a direct flow, or of an affinity: no packet has its
 * destination port. */
static __always_inline bool is_direct(const struct tuple *reply)
{
	return !reply->dport;
}

/* The same of a tuple with which a packet leaves. Its destination is the backend's address. */
static __always_inline bool leaves_unchanged(const struct tuple *to)
{
	return !to->sport;
}

/* The length of the outer header in which the packets of a flow of the service reach their backend;
 * 0 if they are not encapsulated. reply is that of the entry, which may be of an earlier mode of the
 * service. */
static __always_inline __u32 overhead_of(const struct service *svc, const struct tuple *reply)
{
	return svc->mode == MODE_DSR_IPIP && is_direct(reply) ? outer_len(&reply->src) : 0;
}

/* Notes in the tuple of a leaving packet whether it is encapsulated. Only keys of maps need zero
 * padding, and this tuple is none. */
static __always_inline void encapsulate_for(struct tuple *to, bool encapsulated)
{
	to->pad[0] = encapsulated;
}

static __always_inline enum leaving leaving_of(const struct tuple *to)
{
	if (!leaves_unchanged(to))
		return TRANSLATED;
	return to->pad[0] ? ENCAPSULATED : UNCHANGED;
}

/* The sequence number after a segment. */
static __always_inline __u32 end_of(const struct packet *pkt)
{
	return pkt->seq + pkt->payload + !!(pkt->tcp_flags & TCP_SYN) + !!(pkt->tcp_flags & TCP_FIN);
}

/* How far ahead both numbers of a segment may be. A blind sender meets both one time in 2^28. */
#define NEARBY (1 << 18)

/* Whether a segment proves that the client sent it. A SYN's data may have been accepted or not
 * (RFC 7413). A RST needs one of the two numbers themselves (RFC 5961). */
static __always_inline bool continues(const struct conn *conn, __u64 word, const struct packet *pkt)
{
	__u32 seq_ahead = pkt->seq - conn->expected[ORIGINAL], ack_ahead = pkt->ack - conn->expected[REPLY];

	if (state_of(word) == STATE_SYN_SENT && !(word & WORD_EXPECTS << REPLY))
		return pkt->seq - conn->acked[ORIGINAL] <= conn->expected[ORIGINAL] - conn->acked[ORIGINAL];
	if (!seq_ahead)
		return true;
	return (pkt->tcp_flags & TCP_ACK) &&
	       (!ack_ahead || (seq_ahead < NEARBY && ack_ahead < NEARBY && !(pkt->tcp_flags & TCP_RST)));
}

static __always_inline bool is_proven_direct(const struct conn *conn, __u64 word, const struct packet *pkt)
{
	return (word & WORD_EXPECTS << ORIGINAL) && !(pkt->tcp_flags & TCP_SYN) && continues(conn, word, pkt);
}

/* In fin-wait a SYN begins a new connection, for the client has ended the old one. An
 * established connection could be live, and only its backend knows. */
static __always_inline bool restarts(__u64 word, const struct packet *pkt)
{
	return is_fresh_syn(pkt) && (state_of(word) == STATE_SYN_SENT || state_of(word) == STATE_FIN_WAIT);
}

/* A segment from which the numbers of a replicated entry are learned. */
static __always_inline bool teaches(__u64 word, const struct packet *pkt)
{
	return !(word & WORD_EXPECTS << ORIGINAL) && (pkt->tcp_flags & (TCP_SYN | TCP_RST | TCP_FIN | TCP_ACK)) == TCP_ACK;
}

static __always_inline __u64 next_direct(__u64 word, const struct packet *pkt, bool proven)
{
	__u8 flags = pkt->tcp_flags;

	if (pkt->tuple.proto == IPPROTO_UDP)
		return with_state(word, STATE_ASSURED);
	if (restarts(word, pkt)) {
		word &= ~(WORD_FIN << ORIGINAL | WORD_EXPECTS << REPLY);
		return with_state(word | WORD_EXPECTS << ORIGINAL, STATE_SYN_SENT);
	}
	if (teaches(word, pkt))
		return word | WORD_EXPECTS << ORIGINAL | WORD_EXPECTS << REPLY;
	if (!proven)
		return word;
	if (flags & TCP_RST)
		return with_state(word, STATE_CLOSED);
	if (!(flags & TCP_ACK))
		return word;
	word |= WORD_EXPECTS << REPLY;
	if (state_of(word) == STATE_SYN_SENT)
		word = with_state(word, STATE_ESTABLISHED);
	if ((flags & TCP_FIN) && state_of(word) != STATE_CLOSED)
		word = with_state(word | WORD_FIN << ORIGINAL, STATE_FIN_WAIT);
	return word;
}

/* Follows the numbers, before next, which marks them as known, replaces word. */
static __always_inline void follow_direct(struct conn *conn, __u64 word, const struct packet *pkt, bool proven)
{
	if (restarts(word, pkt) || teaches(word, pkt)) {
		conn->expected[ORIGINAL] = end_of(pkt);
		conn->acked[ORIGINAL] = pkt->seq;
		conn->expected[REPLY] = conn->acked[REPLY] = pkt->ack;
		return;
	}
	if (!proven || (pkt->tcp_flags & TCP_RST) || !(pkt->tcp_flags & TCP_ACK))
		return;
	if ((__s32)(end_of(pkt) - conn->expected[ORIGINAL]) > 0)
		conn->expected[ORIGINAL] = end_of(pkt);
	acknowledge(conn, word, REPLY, pkt->ack);
}

static __always_inline __u64 advance_direct(struct conn *conn, __u64 word, const struct packet *pkt, bool proven)
{
	if (pkt->tuple.proto == IPPROTO_SCTP)
		return advance_direct_sctp(conn, word, pkt, proven, restarts(word, pkt));
	if (pkt->tuple.proto == IPPROTO_TCP)
		follow_direct(conn, word, pkt, proven);
	return next_direct(word, pkt, proven);
}

/* The word of the direct entry that pkt creates. An adopted flow waits for the client's next
 * segment. */
static __always_inline __u64 first_direct_word(const struct packet *pkt)
{
	return first_word(pkt) | (pkt->tuple.proto == IPPROTO_TCP ? WORD_EXPECTS << ORIGINAL : 0);
}

/* Whether the backend can have sent a segment that an error quotes: after what the client has
 * acknowledged, and less than the largest window after it. */
static __always_inline bool is_plausible(const struct conn *conn, const struct packet *pkt)
{
	if (pkt->tuple.proto == IPPROTO_SCTP)
		return has_quoted_tag(conn, pkt, REPLY);
	return pkt->tuple.proto != IPPROTO_TCP || !(word_of(conn) & WORD_EXPECTS << REPLY) ||
	       pkt->seq - conn->expected[REPLY] < WINDOW_MAX;
}
