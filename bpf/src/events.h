/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Flow events: one for each entry that a packet creates and for each change of state, none
 * for ordinary packets.
 *
 * The ring keeps the order of reservation. So a record is reserved after the word was
 * read and before it is swapped. The swap succeeds only if no other packet has changed
 * the flow in between. So the events of a flow come in the order of its states,
 * whichever CPUs its packets arrive on.
 */
#pragma once

#include "count.h"

static __always_inline struct event *reserve_event(void)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	struct counters *c;

	if (!e) {
		c = count();
		if (c)
			c->events_lost++;
	}
	return e;
}

static __always_inline void discard_event(struct event *e)
{
	if (e)
		bpf_ringbuf_discard(e, 0);
}

static __always_inline void submit_event(struct event *e, const struct tuple *original, const struct tuple *reply,
					 __u64 word, __u64 wakeup)
{
	if (!e)
		return;
	e->original = *original;
	e->reply = *reply;
	e->state = word & WORD_STATE_MASK;
	e->origin = (word & WORD_ORIGIN_MASK) >> WORD_ORIGIN_SHIFT;
	__builtin_memset(e->pad, 0, sizeof(e->pad));
	bpf_ringbuf_submit(e, wakeup);
}
