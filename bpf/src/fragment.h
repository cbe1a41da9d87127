/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * IPv4 fragments. The first one holds the ports: it goes the way of any packet, and
 * leaves behind how the others are to be translated. Those that come before it, or
 * after FRAGMENT_LIFE, are dropped. None may overlap another (compare RFC 5722): the
 * parts of a datagram that was checked could be overwritten by others that were not.
 */
#pragma once

#include "hop.h"
#include "nat.h"

#define FRAGMENT_LIFE 15000000000ll /* RFC 791 3.2 */
#define DATAGRAM_MAX 65536	    /* where a last fragment's span ends: nothing comes behind it */

volatile __u32 fragment_ids; /* datagrams that got an id of this node */

static __always_inline struct fragment_key fragment_key(const struct iphdr *ip)
{
	struct fragment_key key = { .src = ip->saddr, .dst = ip->daddr, .id = ip->id, .proto = ip->protocol };

	return key;
}

/* The bytes of its datagram that a packet holds. Returns false if it is no fragment that
 * a router could have made. */
static __always_inline bool span_of(const struct iphdr *ip, struct span *span)
{
	__u32 fragment = bpf_ntohs(ip->frag_off), len = bpf_ntohs(ip->tot_len) - ip->ihl * 4;

	span->from = (fragment & IP_OFFSET) * 8;
	span->to = span->from + len;
	if (!len || span->to > DATAGRAM_MAX - 1)
		return false;
	if (!(fragment & IP_MF)) {
		span->to = DATAGRAM_MAX;
		return true;
	}
	return len % 8 == 0;
}

static __always_inline void rename_datagram(struct iphdr *ip, __be16 id)
{
	fix_checksum(&ip->check, (__u32)(__u16)~ip->id + id);
	ip->id = id;
}

/* Remembers how the datagram of a first fragment is translated. Datagrams of several
 * senders that leave under one address must not share an id. */
static __noinline bool remember_datagram(struct __sk_buff *skb, const struct packet *pkt, const struct tuple *to,
					 __u32 direction)
{
	struct iphdr *ip = header(skb, ETH_HLEN, sizeof(*ip));
	struct fragments datagram = { .direction = direction, .src = to->src, .dst = to->dst };
	struct fragment_key key;

	if (!ip || !span_of(ip, &datagram.spans[0]))
		return false;
	key = fragment_key(ip);
	datagram.expires = pkt->now + FRAGMENT_LIFE;
	datagram.id = ip->id;
	if (to->src != pkt->tuple.src)
		datagram.id = bpf_htons(snat_seed + __sync_fetch_and_add(&fragment_ids, 1));
	if (bpf_map_update_elem(&fragments, &key, &datagram, BPF_ANY))
		return false;
	ip = header(skb, ETH_HLEN, sizeof(*ip));
	if (!ip)
		return false;
	rename_datagram(ip, datagram.id);
	return true;
}

/* Adds a span to those that have come. The datagram is locked. */
static __always_inline enum drop add_span(struct fragments *datagram, const struct span *span)
{
	struct span *at, *place = NULL;

	for (int i = 0; i < SPANS_MAX; i++) {
		at = &datagram->spans[i];
		if (at->from < span->to && span->from < at->to)
			return DROP_FRAGMENT_OVERLAP;
		if (!place && (at->to == span->from || at->from == span->to || !at->to))
			place = at;
	}
	if (!place)
		return DROP_FRAGMENT;
	if (!place->to)
		*place = *span;
	else if (place->to == span->from)
		place->to = span->to;
	else
		place->from = span->from;
	return DROP_NONE;
}

static __always_inline struct fragments *find_datagram(const struct fragment_key *key, __s64 at, __u32 direction)
{
	struct fragments *datagram = bpf_map_lookup_elem(&fragments, key);

	if (!datagram || datagram->direction != direction || datagram->expires <= at)
		return NULL;
	return datagram;
}

static __always_inline void count_fragment(void)
{
	struct counters *c = count();

	if (c)
		c->fragments++;
}

/* A fragment other than the first. */
__noinline int later_fragment(struct __sk_buff *skb, __u32 direction)
{
	struct iphdr *ip = header(skb, ETH_HLEN, sizeof(*ip));
	struct fragments *datagram;
	struct fragment_key key;
	struct span span = {};
	__be32 src, dst;
	enum drop reason;
	__be16 id;

	direction &= REPLY; /* so that the verifier knows its bounds */
	if (!ip || !span_of(ip, &span))
		return drop(DROP_MALFORMED);
	key = fragment_key(ip);
	datagram = find_datagram(&key, now(), direction);
	if (!datagram)
		return drop(DROP_FRAGMENT);
	bpf_spin_lock(&datagram->lock);
	reason = add_span(datagram, &span);
	src = datagram->src;
	dst = datagram->dst;
	id = datagram->id;
	bpf_spin_unlock(&datagram->lock);
	if (reason != DROP_NONE)
		return drop(reason);
	fix_checksum(&ip->check, csum_add(csum_change(ip->saddr, src, ip->daddr, dst), ONE_HOP));
	ip->saddr = src;
	ip->daddr = dst;
	ip->ttl--;
	rename_datagram(ip, id);
	count_fragment();
	count_forwarded(skb, direction);
	return leave(skb, HOP_UNKNOWN, direction);
}
