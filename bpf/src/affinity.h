/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Source affinity: the new flows of a client go to the backend of its last flow.
 *
 * An affinity is an entry of the connection table, closed or unreplied, with source port
 * 0. So it is replicated, swept and pinned like a flow. No packet has that port, and no
 * reply tuple is claimed for it. User space removes it when its service's affinity time
 * has passed.
 */
#pragma once

#include <linux/errno.h>

#include "balance.h"
#include "conntrack.h"
#include "percpu.h"

struct affinity {
	struct tuple key;
	struct member_key member;
	struct conn fresh;
};

DEFINE_PERCPU(struct affinity, affinity)

/* Whether the chosen backend gets new flows of the service. */
static __always_inline bool is_member(struct affinity *a, const struct service *svc, const struct tuple *reply)
{
	a->member.addr = reply->src;
	a->member.port = reply->sport;
	a->member.table = svc->table;
	return svc->size && bpf_map_lookup_elem(&members, &a->member);
}

/* Reads the backend of an affinity, if that backend gets new flows. */
static __always_inline bool read_affinity(const struct conn *kept, struct affinity *a, const struct service *svc,
					  struct tuple *reply)
{
	reply->src = kept->reply.src;
	reply->sport = kept->reply.sport;
	return belongs_to(word_of(kept), &a->key) && is_member(a, svc, reply);
}

/* Another packet of the client was faster: its choice is the client's backend. */
static __always_inline enum drop follow_winner(struct affinity *a, const struct service *svc, struct tuple *reply)
{
	struct conn *winner = find_conn(&a->key);

	return winner && read_affinity(winner, a, svc, reply) ? DROP_NONE : DROP_MISS;
}

/* Takes the place of an affinity, as open_flow does with an entry. */
static __always_inline bool take_place(struct conn *kept, const struct tuple *key)
{
	__u64 word = word_of(kept);

	return belongs_to(word, key) && state_of(word) != STATE_DEAD && !(word & WORD_REOPENING) &&
	       swap_word(kept, word, changed(word) | WORD_REOPENING);
}

/* Adds an affinity to the chosen backend, in place of kept if that is not NULL. If the
 * table has no room, the flow has no affinity. */
static __always_inline enum drop keep_affinity(struct affinity *a, __s64 now, const struct service *svc, struct conn *kept,
					       struct tuple *reply)
{
	struct conn *fresh = &a->fresh;
	struct event *e;
	long err;

	fresh->word = owned_by(with_origin(ORIGIN_OPENED) | (a->key.proto == IPPROTO_UDP ? STATE_UNREPLIED : STATE_CLOSED),
			       &a->key);
	fresh->reply.src = reply->src;
	fresh->reply.sport = reply->sport;
	fresh->reply.dst = a->key.src;
	fresh->reply.proto = a->key.proto;
	fresh->last_seen = now;
	if (kept && !take_place(kept, &a->key))
		return follow_winner(a, svc, reply);
	e = reserve_event();
	err = bpf_map_update_elem(&conns, &a->key, fresh, kept ? BPF_EXIST : BPF_NOEXIST);
	if (!err) {
		submit_event(e, &a->key, &fresh->reply, fresh->word, 0);
		return DROP_NONE;
	}
	discard_event(e);
	if (kept)
		*(volatile __u64 *)&kept->word = changed(word_of(kept)) & ~WORD_REOPENING;
	return err == -EEXIST ? follow_winner(a, svc, reply) : DROP_NONE;
}

/* Chooses the backend of a new flow by its client's affinity, and sets it as the source
 * of the reply tuple. Without an affinity the choice ignores the client's port, so Maglev
 * chooses one backend per client. Returns DROP_NONE, or why there is no backend. */
__noinline int choose_by_affinity(const struct packet *pkt, struct service *svc, struct tuple *reply)
{
	struct affinity *a = TAKE_PERCPU(affinity);
	struct conn *kept;

	if (!a || !pkt || !svc || !reply)
		return DROP_NO_BACKEND;
	a->key = pkt->tuple;
	a->key.sport = 0;
	a->key.dport = svc->own;
	kept = find_conn(&a->key);
	if (kept && read_affinity(kept, a, svc, reply)) {
		kept->last_seen = pkt->now;
		return DROP_NONE;
	}
	if (!choose_backend(svc, &a->key, reply))
		return DROP_NO_BACKEND;
	return keep_affinity(a, pkt->now, svc, kept, reply);
}
