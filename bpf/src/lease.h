/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The time and the lease. The clock also runs while the machine is suspended, so the
 * lease has expired when it wakes. After the expiry no packet of a VIP leaves this node,
 * whatever the state of the process that renewed the lease.
 */
#pragma once

#include "maps.h"

static __always_inline struct control *get_control(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&control, &zero);
}

static __always_inline __s64 now(void)
{
	struct control *c;

	if (!fake_clock)
		return bpf_ktime_get_boot_ns();
	c = get_control();
	return c ? c->fake_now : 0;
}

static __always_inline bool lease_holds(__s64 at)
{
	struct control *c = get_control();

	return c && at < *(volatile __s64 *)&c->lease_expiry;
}
