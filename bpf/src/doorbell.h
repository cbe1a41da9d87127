/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The doorbell. With deferred replies a client waits until user space has read the event of
 * its flow, and then the reply. User space lets other events accumulate, and reads these at
 * once. The doorbell, a ring of its own, wakes it, so their records in the event ring need not.
 */
#pragma once

#include "maps.h"

/* The smallest ring. User space empties it before it reads the event ring. If it is full, it
 * has rung. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} doorbell SEC(".maps");

static __always_inline void ring_doorbell(void)
{
	__u64 once = 1;

	bpf_ringbuf_output(&doorbell, &once, sizeof(once), 0);
}
