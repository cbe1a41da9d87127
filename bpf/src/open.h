/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Makes a new entry: both directions or none. Packets of one flow may race here on
 * several CPUs. One of them opens the flow, the others follow.
 */
#pragma once

#include "affinity.h"
#include "claim.h"
#include "direct.h"
#include "doorbell.h"
#include "events.h"

/* A packet that needs an entry. */
struct opening {
	const struct packet *pkt;
	struct service *svc;
	struct conn *old;   /* the entry that it replaces, or NULL */
	struct tuple kept;  /* the reply tuple of old */
	struct tuple reply; /* the reply tuple of the new entry */
	bool opened;        /* the entry is this packet's */
	bool claimed;       /* reply was claimed for this packet, so it is to be released on failure */
};

DEFINE_ROOM(struct conn, conn)

static __always_inline void release_claim(const struct opening *o)
{
	if (o->claimed)
		release_reply(&o->reply, &o->pkt->tuple);
}

/* Another packet of the flow was faster: its entry is used. */
static __always_inline enum drop yield_to_winner(struct opening *o)
{
	struct conn *winner = find_conn(&o->pkt->tuple);

	if (!winner || !same_tuple(&winner->reply, &o->reply))
		release_claim(o);
	if (!winner)
		return DROP_MISS; /* not there yet, or no longer: the sender will retransmit */
	o->reply = winner->reply;
	return DROP_NONE;
}

/* Whether the packet resumes a flow that the peer has opened. The peer tried its ports in the
 * order in which this node tries them now. */
static __always_inline bool resumes(const struct packet *pkt)
{
	struct control *c = get_control();

	return !opens(pkt) && c && c->miss == MISS_ADOPT;
}

/* Completes the reply tuple of the chosen backend by the mode of the service, and claims it.
 * Returns what claim_reply returns. Not inlined, like track. */
__noinline int claim_for(struct tuple *reply, const struct packet *pkt, const struct service *svc)
{
	const struct tuple *original;

	if (!reply || !pkt || !svc)
		return -EINVAL;
	original = &pkt->tuple;
	reply->proto = original->proto;
	if (!reply->sport)
		reply->sport = original->dport;
	switch (svc->mode) {
	case MODE_DSR_L2:
	case MODE_DSR_IPIP:
		reply->sport = original->dport;
		reply->dst = original->src;
		break;
	case MODE_DNAT:
		reply->dst = original->src;
		reply->dport = original->sport;
		break;
	default:
		return claim_snat_port(reply, original, svc, resumes(pkt));
	}
	return claim_reply(reply, original);
}

static __always_inline void count_opened(const struct packet *pkt)
{
	struct counters *c = count();

	if (!c)
		return;
	if (opens(pkt))
		c->created++;
	else
		c->adopted++;
}

/* The sequence numbers of the entry that pkt creates. The state word says which directions are known. */
static __always_inline void first_numbers(struct conn *conn, const struct packet *pkt, bool direct)
{
	conn->expected[ORIGINAL] = direct ? end_of(pkt) : pkt->seq + 1;
	conn->expected[REPLY] = conn->acked[REPLY] = pkt->ack;
	conn->acked[ORIGINAL] = pkt->seq;
}

/* Writes the entry of the packet's flow: a new one, or one in place of an old one. Returns 0 or
 * a negative errno. Not inlined, like track. */
__noinline int write_entry(const struct packet *pkt, const struct tuple *reply, bool replaces)
{
	struct conn *fresh = pkt && reply ? TAKE_ROOM(struct conn, conn) : NULL;
	bool rings = defer_replies && reply && !is_direct(reply); /* a reply will wait for the event */
	struct event *e;
	long err;

	if (!fresh)
		return -ENOMEM;
	fresh->word = is_direct(reply) ? first_direct_word(pkt) : first_word(pkt);
	fresh->reply = *reply;
	fresh->last_seen = pkt->now;
	if (pkt->tuple.proto == IPPROTO_SCTP)
		first_tags(fresh, pkt);
	else
		first_numbers(fresh, pkt, is_direct(reply));
	e = reserve_event();
	err = bpf_map_update_elem(&conns, &pkt->tuple, fresh, replaces ? BPF_EXIST : BPF_NOEXIST);
	if (err) {
		discard_event(e);
		return err;
	}
	submit_event(e, &pkt->tuple, reply, fresh->word, rings ? BPF_RB_NO_WAKEUP : 0);
	if (rings)
		ring_doorbell();
	return 0;
}

/* Inserts the entry for the claimed tuple. */
static __always_inline enum drop insert(struct opening *o)
{
	long err = write_entry(o->pkt, &o->reply, !!o->old);

	if (err == -EEXIST)
		return yield_to_winner(o);
	if (err) {
		release_claim(o);
		return DROP_TABLE_FULL;
	}
	if (o->old && !same_tuple(&o->kept, &o->reply))
		release_reply(&o->kept, &o->pkt->tuple);
	count_opened(o->pkt);
	o->opened = true;
	return DROP_NONE;
}

static __always_inline enum drop create(struct opening *o)
{
	long err;

	if (!o->svc->affine && !choose_backend(o->svc, &o->pkt->tuple, &o->reply))
		return DROP_NO_BACKEND;
	err = claim_for(&o->reply, o->pkt, o->svc);
	if (err == -EEXIST)
		return DROP_NO_PORT;
	o->claimed = !err;
	if (err == -EALREADY && !(o->old && same_tuple(&o->kept, &o->reply)))
		return yield_to_winner(o);
	if (err && err != -EALREADY)
		return DROP_TABLE_FULL;
	return insert(o);
}

/* Whether a mid-flow segment of the service may be adopted. */
static __always_inline bool adopts(const struct service *svc)
{
	struct control *c = get_control();

	if (!c)
		return false;
	if (c->miss == MISS_ADOPT)
		return svc->balance == BALANCE_MAGLEV && (svc->mode != MODE_FULLNAT || snat_peer_count);
	return c->miss == MISS_GUESS;
}

static __always_inline bool may_open(const struct packet *pkt, const struct service *svc)
{
	return opens(pkt) || (is_mid_flow(pkt) && adopts(svc));
}

static __noinline enum drop open_chosen(const struct packet *pkt, struct service *svc, struct conn *old,
					struct tuple *reply)
{
	struct opening o = { .pkt = pkt, .svc = svc, .old = old, .reply = { .src = reply->src, .sport = reply->sport } };
	enum drop reason;
	__u64 word = 0;

	if (old) {
		o.kept = *reply = old->reply;
		word = word_of(old);
		if (!belongs_to(word, &pkt->tuple) || state_of(word) == STATE_DEAD)
			return DROP_MISS;
		if (!reopens(word, pkt) || (word & WORD_REOPENING) ||
		    !swap_word(old, word, with_state(word, STATE_SYN_SENT) | WORD_REOPENING))
			return DROP_NONE;
	}
	reason = create(&o);
	if (o.opened && svc->limited)
		count_opened_flow(&pkt->tuple, svc, !!old);
	if (reason == DROP_NONE)
		*reply = o.reply;
	else if (old)
		*(volatile __u64 *)&old->word = changed(word); /* restored */
	return reason;
}

/* Opens a flow for a packet in the original direction, in place of the entry old if
 * there is one, and sets its reply tuple. Only one packet can replace an entry. For the
 * others the entry already belongs to the new connection. */
static __always_inline enum drop open_flow(const struct packet *pkt, struct service *svc, struct conn *old,
					   struct tuple *reply)
{
	enum drop reason;

	if (!may_open(pkt, svc))
		return DROP_MISS;
	if (svc->limited && svc->size) {
		reason = check_limits(&pkt->tuple, svc, !!old);
		if (reason != DROP_NONE)
			return reason;
	}
	if (svc->affine) { /* not below open_chosen, because of the stack limit */
		reason = choose_by_affinity(pkt, svc, reply);
		if (reason != DROP_NONE)
			return reason;
	}
	return open_chosen(pkt, svc, old, reply);
}
