/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * A reply tuple is claimed before an entry is made. The claim makes the reply tuple, and
 * so its SNAT port, belong to one flow only. A claim has one owner: first the program
 * that made it, then the entry that uses it, then the program that removes that entry.
 */
#pragma once

#include <linux/errno.h>

#include "turn.h"

#define PORT_ATTEMPTS 64
#define TURN_ATTEMPTS 8 /* of them in turn. The rest are drawn: ports in use may be neighbours */

static __always_inline bool is_claim_of(const struct tuple *reply, const struct tuple *original)
{
	struct tuple *owner = bpf_map_lookup_elem(&replies, reply);

	return owner && same_tuple(owner, original);
}

/* Returns 0 if the claim was made, -EEXIST if another flow has the tuple,
 * -EALREADY if this flow has it, and another error if the table is full. */
static __always_inline long claim_reply(const struct tuple *reply, const struct tuple *original)
{
	long err;

	if (!reply->dport) /* an affinity, or a direct flow: no packet has the tuple */
		return 0;
	err = bpf_map_update_elem(&replies, reply, original, BPF_NOEXIST);
	if (err != -EEXIST)
		return err;
	return is_claim_of(reply, original) ? -EALREADY : -EEXIST;
}

/* A search for a SNAT port. */
struct search {
	struct tuple *reply;
	const struct tuple *original;
	const struct service *svc;
	__u64 hash;
	__u64 *turn; /* NULL if the ports are not taken in turn */
	int err;     /* of the last claim */
	bool of_peer; /* among the peer's ports */
};

/* Claims reply with the i-th SNAT address and port that a flow with the hash tries. Returns 1 to
 * end the search. */
static long claim_port(__u32 i, void *context)
{
	struct search *s = context;
	__u32 count = s->of_peer ? snat_peer_count : snat_count;
	__u64 drawn = mix64(s->hash + i);
	__u32 at = (__u32)(drawn >> 32) % s->svc->addresses;

	if (s->turn && i < TURN_ATTEMPTS) {
		drawn = __sync_fetch_and_add(s->turn, 1);
		at = drawn / count % s->svc->addresses;
	}
	s->reply->dport = bpf_htons((s->of_peer ? snat_peer_first : snat_first) + drawn % count);
	s->reply->dst = s->svc->snat[at & (SNAT_MAX - 1)];
	s->err = claim_reply(s->reply, s->original);
	return s->err != -EEXIST;
}

/* Claims reply with the first free port of the flow's probe sequence, at any of the
 * service's addresses. With bpf_loop the verifier checks one iteration for all. The peer can
 * resume flows of maglev, and must know the order in which they tried their ports. */
static __noinline long claim_snat_port(struct tuple *reply, const struct tuple *original, const struct service *svc,
				       bool of_peer)
{
	struct search s = { .reply = reply, .original = original, .svc = svc, .hash = hash_tuple(original) ^ snat_seed, .err = -EEXIST, .of_peer = of_peer };

	if (snat_turns && svc->balance != BALANCE_MAGLEV)
		s.turn = turn_of(reply);
	bpf_loop(PORT_ATTEMPTS, claim_port, &s, 0);
	return s.err;
}

/* A damaged entry may contain the reply tuple of another flow, which keeps its claim. */
static __always_inline void release_reply(const struct tuple *reply, const struct tuple *original)
{
	if (is_claim_of(reply, original))
		bpf_map_delete_elem(&replies, reply);
}
