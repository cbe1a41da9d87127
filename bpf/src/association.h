/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The states of an SCTP association and how packets change them.
 * baton/impl/dataplane/model/association.go holds the same rules; docs/conntrack.md explains them.
 *
 * A packet proves its sender by the verification tag of its direction (RFC 9260 8.5). The tag
 * of a direction is conn->expected of it; 0 is an unknown tag, for no packet but an INIT has the tag 0.
 * conn->acked[ORIGINAL] is the tag of a COOKIE ECHO that the backend has not acknowledged, or 0.
 */
#pragma once

#include "conntrack.h"
#include "sctp.h"

static __always_inline bool has_tag(const struct conn *conn, const struct packet *pkt, enum direction direction)
{
	__u32 tag = conn->expected[(direction ^ pkt->reflected) & REPLY];

	return tag && tag == pkt->seq;
}

/* Whether the tag of a replicated or adopted association is learned from the packet. An off-path
 * attacker can send in the client's place, but not in the backend's. */
static __always_inline bool teaches_tag(const struct conn *conn, const struct packet *pkt, enum direction direction)
{
	return direction == REPLY && !conn->expected[REPLY] && !(pkt->tcp_flags & (TCP_SYN | TCP_RST));
}

/* Whether the packet's tag proves its sender. */
static __always_inline bool is_proven_sctp(const struct conn *conn, const struct packet *pkt, enum direction direction)
{
	return has_tag(conn, pkt, direction) || teaches_tag(conn, pkt, direction);
}

/* The packet says that the association is over. A SHUTDOWN ACK answers the SHUTDOWN of the
 * other side, so neither has anything left to send. */
static __always_inline bool ends_association(const struct packet *pkt)
{
	return (pkt->tcp_flags & TCP_RST) || pkt->chunk == SCTP_SHUTDOWN_ACK;
}

static __always_inline __u64 next_sctp(__u64 word, const struct packet *pkt, enum direction direction, bool proven)
{
	if (direction == REPLY && pkt->chunk == SCTP_COOKIE_ACK)
		return with_state(word & ~(WORD_FIN << ORIGINAL | WORD_FIN << REPLY), STATE_ESTABLISHED);
	if (!proven || (pkt->tcp_flags & TCP_SYN))
		return word;
	if (ends_association(pkt))
		return with_state(word, STATE_CLOSED);
	if (state_of(word) == STATE_SYN_SENT && direction == REPLY)
		word = with_state(word, STATE_ESTABLISHED);
	if (state_of(word) == STATE_SYN_SENT || state_of(word) == STATE_CLOSED)
		return word;
	return tcp_closing(word, pkt, direction, true);
}

/* The backend acknowledges only the cookie that it has made (RFC 9260 5.1.3, 5.2.4). So its
 * COOKIE ACK confirms both tags, also those of an association that begins anew. A COOKIE ECHO
 * with the known tag cannot be replaced by a forged one. */
static __always_inline void follow_tags(struct conn *conn, __u64 word, const struct packet *pkt,
					enum direction direction, bool proven)
{
	__u32 echoed = conn->acked[ORIGINAL];

	if (direction == ORIGINAL) {
		if (pkt->chunk == SCTP_COOKIE_ECHO && (proven || !echoed || echoed != conn->expected[ORIGINAL]))
			conn->acked[ORIGINAL] = pkt->seq;
		return;
	}
	if (pkt->chunk == SCTP_COOKIE_ACK) {
		conn->expected[REPLY] = pkt->seq;
		if (echoed)
			conn->expected[ORIGINAL] = echoed;
		conn->acked[ORIGINAL] = 0;
	} else if (proven && pkt->chunk == SCTP_INIT_ACK && state_of(word) == STATE_SYN_SENT) {
		conn->expected[ORIGINAL] = pkt->ack;
	} else if (proven && !(pkt->tcp_flags & (TCP_SYN | TCP_RST))) {
		conn->expected[REPLY] = pkt->seq;
	}
}

static __always_inline __u64 advance_sctp(struct conn *conn, __u64 word, const struct packet *pkt,
					  enum direction direction, bool proven)
{
	follow_tags(conn, word, pkt, direction, proven);
	return next_sctp(word, pkt, direction, proven);
}

/* The tags of the entry that pkt creates. */
static __always_inline void first_tags(struct conn *conn, const struct packet *pkt)
{
	conn->expected[REPLY] = pkt->ack;
	conn->acked[ORIGINAL] = pkt->chunk == SCTP_COOKIE_ECHO ? pkt->seq : 0;
}

/* Whether an error may quote a packet of the direction (RFC 9260 10). Only the first packet of an
 * association has the tag 0. */
static __always_inline bool has_quoted_tag(const struct conn *conn, const struct packet *pkt, enum direction direction)
{
	__u32 tag = conn->expected[direction];

	return !tag || tag == pkt->seq || (!pkt->seq && state_of(word_of(conn)) == STATE_SYN_SENT);
}

/* Direct associations: the rules of direct.h. The client's first packet behind its INIT, or the
 * first one after a takeover, shows the tag. */
static __always_inline bool teaches_direct_tag(const struct conn *conn, const struct packet *pkt)
{
	return !conn->expected[ORIGINAL] && !(pkt->tcp_flags & (TCP_SYN | TCP_RST | TCP_FIN));
}

static __always_inline bool is_proven_direct_sctp(const struct conn *conn, const struct packet *pkt)
{
	return has_tag(conn, pkt, ORIGINAL) || teaches_direct_tag(conn, pkt);
}

static __always_inline __u64 advance_direct_sctp(struct conn *conn, __u64 word, const struct packet *pkt, bool proven,
						 bool restarts)
{
	if (restarts) {
		conn->expected[ORIGINAL] = 0;
		conn->expected[REPLY] = pkt->ack;
		return with_state(word & ~(WORD_FIN << ORIGINAL), STATE_SYN_SENT);
	}
	if (!proven || (pkt->tcp_flags & TCP_SYN))
		return word;
	if (ends_association(pkt))
		return with_state(word, STATE_CLOSED);
	conn->expected[ORIGINAL] = pkt->seq;
	if (state_of(word) == STATE_SYN_SENT)
		word = with_state(word, STATE_ESTABLISHED);
	if ((pkt->tcp_flags & TCP_FIN) && state_of(word) != STATE_CLOSED)
		word = with_state(word | WORD_FIN << ORIGINAL, STATE_FIN_WAIT);
	return word;
}
