/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Challenges of sources, while a service has many embryonic flows. A SYN of an unknown source
 * gets no entry. It is answered by an ACK of a number that the client has not sent. A client in
 * SYN-SENT answers it with a RST of that number (RFC 9293 3.10.7.3), which only a host that
 * receives at the address can send, and repeats its SYN. docs/conntrack.md explains the design.
 *
 * The number is a keyed hash of the tuple and the time, so a challenge needs no memory. It is
 * before the SYN's own number, as netfilter demands of the RST that it lets through.
 */
#pragma once

#include "limits.h"
#include "refusal.h"
#include "reset.h"
#include "siphash.h"

#define CHALLENGE_SLOT_SHIFT 32 /* 4.3 s; a challenge is valid in its slot and in the next one */
#define VALIDATED_LIFE 60000000000ll /* baton/impl/dataplane.ValidatedLife */

/* What a challenge is bound to. */
struct challenge {
	ip_addr src;
	ip_addr dst;
	__be16 sport;
	__be16 dport;
	__u32 slot;
};

/* The 31 bits by which the answer to a challenge is recognised. Not inlined, like track. */
__noinline __u32 challenge_bits(const struct tuple *t, __u32 slot)
{
	struct challenge c = { .slot = slot };
	__u64 words[sizeof(c) / sizeof(__u64)];

	if (!t)
		return 0;
	c.src = t->src;
	c.dst = t->dst;
	c.sport = t->sport;
	c.dport = t->dport;
	_Static_assert(sizeof(c) == sizeof(words), "not a whole number of words");
	__builtin_memcpy(words, &c, sizeof(words)); /* the compiler may assume that no word aliases c */
	return siphash(challenge_key[0], challenge_key[1], words, sizeof(words) / sizeof(*words)) & 0x7fffffff;
}

static __always_inline __u32 slot_of(__s64 at)
{
	return at >> CHALLENGE_SLOT_SHIFT;
}

/* The acknowledgement that challenges a SYN: not after the SYN's number, which a client in
 * SYN-SENT accepts under no circumstances. */
static __always_inline __u32 challenge_of(const struct packet *pkt)
{
	__u32 bits = challenge_bits(&pkt->tuple, slot_of(pkt->now));

	return (__s32)(bits - pkt->seq) > 0 ? bits | 1u << 31 : bits;
}

/* Whether a RST answers a challenge of its tuple. */
static __always_inline bool answers_challenge(const struct packet *pkt)
{
	__u32 slot = slot_of(pkt->now), bits = pkt->seq & 0x7fffffff;

	return bits == challenge_bits(&pkt->tuple, slot) || bits == challenge_bits(&pkt->tuple, slot - 1);
}

/* Whether the source must answer a challenge before it gets an entry. */
__noinline int must_answer(const struct tuple *original, struct service *svc, __s64 at)
{
	struct count_key *key = key_of_service(original, svc);
	struct flow_count *is = key ? bpf_map_lookup_elem(&flow_counts, key) : NULL;
	__s64 *until;

	if (!is || !svc || is->embryonic < (__s32)svc->challenge)
		return false;
	key->source = original->src;
	until = bpf_map_lookup_elem(&validated, key);
	return !until || *until <= at;
}

/* Drops a SYN and challenges its source. Fragments and segments that cannot be answered are
 * only dropped. */
static __noinline int challenge(struct __sk_buff *skb, const struct packet *pkt, const struct service *svc)
{
	count_refused(&pkt->tuple, svc, DROP_CHALLENGED);
	drop(DROP_CHALLENGED);
	if (pkt->more || !answer_syn(skb, pkt, challenge_of(pkt), false))
		return TCX_DROP;
	return answer(skb);
}

/* Ends a RST that belongs to no entry. One that answers a challenge validates its source. */
static __noinline int take_answer(const struct packet *pkt, const struct service *svc)
{
	struct count_key *key = key_of_service(&pkt->tuple, svc);
	__s64 until = pkt->now + VALIDATED_LIFE;

	if (!key || !answers_challenge(pkt))
		return drop(DROP_NO_CHALLENGE);
	key->source = pkt->tuple.src;
	bpf_map_update_elem(&validated, key, &until, BPF_ANY);
	return drop(DROP_VALIDATED);
}
