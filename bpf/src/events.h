/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Flow events: one for each entry that packets create and for each state that
 * they move, none for ordinary packets.
 */
#pragma once

#include "count.h"

static __always_inline void emit(const struct tuple *original, const struct tuple *reply, __u8 state, __u8 origin)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	struct counters *c;

	if (!e) {
		c = count();
		if (c)
			c->events_lost++;
		return;
	}
	e->original = *original;
	e->reply = *reply;
	e->state = state;
	e->origin = origin;
	__builtin_memset(e->pad, 0, sizeof(e->pad));
	bpf_ringbuf_submit(e, 0);
}
