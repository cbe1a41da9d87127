/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Memory in a per-CPU map for what does not fit on a program's stack of 512 bytes. A CPU
 * processes one packet at a time.
 */
#pragma once

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define DEFINE_PERCPU(T, name)                                                   \
	struct {                                                                 \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);                         \
		__uint(max_entries, 1);                                          \
		__type(key, __u32);                                              \
		__type(value, T);                                                \
	} room_##name SEC(".maps");                                              \
                                                                                 \
	static __always_inline T *take_##name(void)                              \
	{                                                                        \
		__u32 zero = 0;                                                  \
		T *room = bpf_map_lookup_elem(&room_##name, &zero);              \
                                                                                 \
		if (room)                                                        \
			__builtin_memset(room, 0, sizeof(*room));                \
		return room;                                                     \
	}

#define TAKE_PERCPU(name) take_##name()
