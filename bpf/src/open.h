/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * A new entry: both directions of it, or none.
 */
#pragma once

#include "balance.h"
#include "claim.h"
#include "conntrack.h"

/* A packet that wants an entry. */
struct opening {
	const struct packet *pkt;
	struct service *svc;
	struct conn *old; /* the entry that it reopens, or NULL */
};

static __always_inline enum drop claim_for(const struct opening *o, const struct backend *backend, struct tuple *reply)
{
	const struct tuple *original = &o->pkt->tuple;
	long err;

	reply->src = backend->addr;
	reply->sport = backend->port;
	reply->proto = original->proto;
	if (o->svc->mode == MODE_DNAT) {
		reply->dst = original->src;
		reply->dport = original->sport;
		err = claim_reply(reply, original);
	} else {
		reply->dst = o->svc->snat;
		err = claim_snat_port(reply, original);
	}
	if (!err)
		return DROP_NONE;
	return err == -EEXIST ? DROP_NO_PORT : DROP_TABLE_FULL;
}

/* Another packet of the flow was faster: its entry is the flow's. The claim of
 * the loser goes, unless both had made the same. */
static __always_inline enum drop yield_to_winner(const struct tuple *original, struct tuple *reply)
{
	struct conn *winner = find_conn(original);

	if (!winner || !same_tuple(&winner->reply, reply))
		release_reply(reply);
	if (!winner)
		return DROP_MISS; /* and it is being removed already */
	*reply = winner->reply;
	return DROP_NONE;
}

static __always_inline void count_opened(__u32 origin)
{
	struct counters *c = count();

	if (!c)
		return;
	if (origin == ORIGIN_ADOPTED)
		c->adopted++;
	else
		c->created++;
}

static __always_inline enum drop insert(const struct opening *o, struct conn *fresh)
{
	const struct tuple *original = &o->pkt->tuple;
	struct tuple replaced = {};
	long err;

	if (o->old)
		replaced = o->old->reply;
	err = bpf_map_update_elem(&conns, original, fresh, o->old ? BPF_EXIST : BPF_NOEXIST);
	if (err == -EEXIST)
		return yield_to_winner(original, &fresh->reply);
	if (err) {
		if (!same_tuple(&replaced, &fresh->reply))
			release_reply(&fresh->reply);
		return DROP_TABLE_FULL;
	}
	if (o->old && !same_tuple(&replaced, &fresh->reply))
		release_reply(&replaced);
	count_opened(fresh->origin);
	emit(original, &fresh->reply, state_of(fresh->word), fresh->origin);
	return DROP_NONE;
}

/* Creates the entry; *reply becomes its reply tuple. */
static __always_inline enum drop create(const struct opening *o, struct tuple *reply)
{
	struct backend *backend = choose_backend(o->svc, &o->pkt->tuple);
	struct conn fresh = {};
	enum drop reason;

	if (!backend)
		return DROP_NO_BACKEND;
	reason = claim_for(o, backend, &fresh.reply);
	if (reason != DROP_NONE)
		return reason;
	fresh.last_seen = now();
	fresh.word = first_word(o->pkt);
	fresh.origin = opens(o->pkt) ? ORIGIN_OPENED : ORIGIN_ADOPTED;
	reason = insert(o, &fresh);
	*reply = fresh.reply;
	return reason;
}

static __always_inline bool may_open(const struct packet *pkt)
{
	struct control *c = get_control();

	return opens(pkt) || (c && c->adopt && is_mid_flow(pkt));
}

/* Opens a flow for a packet in the original direction, in place of the entry old
 * if there is one. Only one packet takes an old entry over; to the others it is
 * already the new connection's. */
static __noinline enum drop open_flow(const struct packet *pkt, struct service *svc, struct conn *old,
				      struct tuple *reply)
{
	struct opening o = { .pkt = pkt, .svc = svc, .old = old };
	enum drop reason;
	__u32 word = 0;

	if (!may_open(pkt))
		return DROP_MISS;
	if (old) {
		word = old->word;
		*reply = old->reply;
		if (!reopens(word, pkt) || __sync_val_compare_and_swap(&old->word, word, STATE_SYN_SENT) != word)
			return DROP_NONE;
	}
	reason = create(&o, reply);
	if (old && reason != DROP_NONE)
		__sync_val_compare_and_swap(&old->word, STATE_SYN_SENT, word);
	return reason;
}
