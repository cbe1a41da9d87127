/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Deferred replies. If configured, the reply that tells a client that its flow is
 * established goes to user space, already translated. User space sends it once the peer has
 * the flow's entry. Until then the client sends nothing more, so nothing overtakes the
 * reply.
 *
 * The reply is a record of the event ring, behind the flow's own events. It holds the
 * packet from the IP header on. User space completes the checksum if the kernel has not.
 */
#pragma once

#include "conntrack.h"
#include "doorbell.h"
#include "hop.h"

#define DEFERRED_MAX 2048	/* maximum bytes of a deferred packet: bpf.deferredMax */
#define DEFERRED_MIN 128	/* minimum bytes of a record: longer than any event */

struct deferred {
	__u8 family; /* IPv4: 4, IPv6: 6 */
	__u8 state;  /* of the flow */
	__u8 origin;
	__u8 pad;
	__u32 len; /* bytes of the packet */
	struct tuple original;
	struct tuple reply;
	__u8 packet[DEFERRED_MAX];
};

/* Does not fit on the stack. */
struct deferring {
	struct tuple to; /* the tuple of the translated packet */
	__u32 pad;
	struct deferred record;
};

/* Not DEFINE_PERCPU, because 2 KiB need not be cleared for each packet. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct deferring);
} deferring SEC(".maps");

static __always_inline struct deferring *take_deferring(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&deferring, &zero);
}

/* Events have priority: replies use at most half of the ring. */
static __always_inline bool has_room(void)
{
	return bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) < bpf_ringbuf_query(&events, BPF_RB_RING_SIZE) / 2;
}

/* Writes a translated packet into the ring. Returns whether it did. */
static __always_inline bool put_deferred(struct __sk_buff *skb, struct deferred *d, const struct tuple *original,
					 const struct conn *conn)
{
	__u32 len = skb->len - ETH_HLEN, size;
	__u64 word = word_of(conn);

	if (skb->gso_segs > 1 || !has_room())
		return false;
	d->family = sizeof(ip_addr) == 4 ? 4 : 6;
	d->state = state_of(word);
	d->origin = (word & WORD_ORIGIN_MASK) >> WORD_ORIGIN_SHIFT;
	d->pad = 0;
	d->len = len;
	d->original = *original;
	d->reply = conn->reply;
	barrier_var(len); /* the verifier must see the bounds of the value that is used */
	if (len < 1 || len > DEFERRED_MAX || bpf_skb_load_bytes(skb, ETH_HLEN, d->packet, len))
		return false;
	size = offsetof(struct deferred, packet) + len;
	if (size < DEFERRED_MIN)
		size = DEFERRED_MIN;
	if (bpf_ringbuf_output(&events, d, size, BPF_RB_NO_WAKEUP))
		return false;
	ring_doorbell();
	return true;
}

static __always_inline void count_deferred(bool deferred)
{
	struct counters *c = count();

	if (!c)
		return;
	if (deferred)
		c->deferred++;
	else
		c->undeferred++;
}
