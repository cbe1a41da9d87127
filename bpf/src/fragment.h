/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Fragments. The first fragment holds the ports. It is handled like any packet, and the
 * node remembers how to translate the others. Fragments that come before the first, or
 * after FRAGMENT_LIFE, are dropped. Fragments must not overlap (compare RFC 5722),
 * because unchecked data could overwrite checked data.
 */
#pragma once

#include "datagrams.h"
#include "leave.h"
#include "nat.h"

#define FRAGMENT_LIFE 15000000000ll /* RFC 791 3.2 */

/* Remembers how to translate the datagram of a first fragment. Datagrams of several
 * senders that leave with one address must not share an id. Not inlined, like track. */
__noinline int remember_datagram(struct __sk_buff *skb, const struct packet *pkt, const struct tuple *to, __u32 direction)
{
	struct fragments datagram = { .direction = direction };
	struct fragment_key key = {};

	if (!pkt || !to)
		return false;
	datagram.leaving = leaving_of(to);
	datagram.src = to->src;
	datagram.dst = to->dst;
	if (!read_key(skb, pkt->fragment_off, &key) || !read_span(skb, pkt->fragment_off, &datagram.spans[0]))
		return false;
	datagram.expires = pkt->now + FRAGMENT_LIFE;
	datagram.id = key.id;
	if (!same_addr(&to->src, &pkt->tuple.src))
		datagram.id = own_id();
	if (bpf_map_update_elem(&fragments, &key, &datagram, BPF_ANY))
		return false;
	return rename_datagram(skb, pkt->fragment_off, datagram.id);
}

/* Whether the first fragment of the packet's datagram has already passed, and others are missing; at is
 * packet.fragment_off. Not inlined, like track. */
__noinline int is_arriving(struct __sk_buff *skb, __u32 at, __s64 arrived)
{
	struct fragment_key key = {};
	struct fragments *datagram;

	at &= 0xff; /* so that the verifier knows its bounds */
	if (!read_key(skb, at, &key))
		return false;
	datagram = bpf_map_lookup_elem(&fragments, &key);
	return datagram && datagram->expires > arrived;
}

/* Handles the first fragment of a datagram that leaves with a tuple. Returns DROP_NONE, or why it is
 * dropped. */
static __always_inline enum drop begin_datagram(struct __sk_buff *skb, const struct packet *pkt, const struct tuple *to,
						__u32 direction)
{
	if (!may_be_fragmented(pkt, to))
		return DROP_FRAGMENT;
	if (is_arriving(skb, pkt->fragment_off, pkt->now))
		return DROP_FRAGMENT_OVERLAP;
	return remember_datagram(skb, pkt, to, direction) ? DROP_NONE : DROP_FRAGMENT;
}

/* Adds a span to the received ones, and sets whether all bytes have then arrived. The caller has locked
 * the datagram. */
static __always_inline enum drop add_span(struct fragments *datagram, const struct span *span, bool *whole)
{
	struct span *at, *place = NULL;
	__u32 bytes = span->to - span->from;

	for (int i = 0; i < SPANS_MAX; i++) {
		at = &datagram->spans[i];
		if (at->from < span->to && span->from < at->to)
			return DROP_FRAGMENT_OVERLAP;
		bytes += at->to - at->from;
		if (!place && (at->to == span->from || at->from == span->to || !at->to))
			place = at;
	}
	if (!place)
		return DROP_FRAGMENT;
	*whole = bytes == DATAGRAM_MAX;
	if (!place->to)
		*place = *span;
	else if (place->to == span->from)
		place->to = span->to;
	else
		place->from = span->from;
	return DROP_NONE;
}

static __always_inline void count_fragment(void)
{
	struct counters *c = count();

	if (c)
		c->fragments++;
}

/* Handles a fragment other than the first; at is packet.fragment_off. */
__noinline int later_fragment(struct __sk_buff *skb, __u32 at, __u32 direction)
{
	struct fragments *datagram;
	struct fragment_key key = {};
	ip_addr from, to;
	struct tuple out = {};
	__u32 leaving, mtu;
	struct span span = {};
	enum drop reason;
	bool whole = false;
	datagram_id id;
	ip_header *ip;

	direction &= REPLY; /* so that the verifier knows its bounds */
	at &= 0xff;
	if (!read_key(skb, at, &key) || !read_span(skb, at, &span))
		return drop(DROP_MALFORMED);
	datagram = find_datagram(&key, now(), direction);
	if (!datagram)
		return drop(DROP_FRAGMENT);
	bpf_spin_lock(&datagram->lock);
	reason = add_span(datagram, &span, &whole);
	out.src = datagram->src;
	out.dst = datagram->dst;
	leaving = datagram->leaving;
	id = datagram->id;
	bpf_spin_unlock(&datagram->lock);
	if (reason != DROP_NONE)
		return drop(reason);
	if (whole) /* room for another one */
		bpf_map_delete_elem(&fragments, &key);
	if (leaving == ENCAPSULATED && is_too_big_inside(skb, 0, outer_len(&out.dst), &mtu))
		return drop(DROP_TOO_BIG);
	ip = header(skb, ETH_HLEN, sizeof(*ip));
	if (!ip || !rename_datagram(skb, at, id))
		return drop(DROP_MALFORMED);
	from = source_of(ip);
	to = destination_of(ip);
	if (leaving != TRANSLATED)
		readdress(ip, &from, &to, 0);
	else
		readdress(ip, &out.src, &out.dst, addresses_change(&from, &out.src, &to, &out.dst));
	count_fragment();
	count_forwarded(skb, direction);
	encapsulate_for(&out, leaving == ENCAPSULATED);
	return leaving != TRANSLATED ? leave(skb, &out, HOP_UNKNOWN, direction) : leave_to(&out.dst, direction);
}
