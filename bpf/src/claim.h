/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Reply tuples are claimed before an entry is made: the claim is what makes a
 * reply tuple, and with it a SNAT port, belong to one flow only. A claim has one
 * owner: who made it, until an entry stands on it, and whoever removes that entry.
 */
#pragma once

#include <linux/errno.h>

#include "hash.h"
#include "maps.h"

#define PORT_ATTEMPTS 64

/* Returns 0 if the claim was made, -EEXIST if another flow has the tuple,
 * -EALREADY if this flow has it, and another error if the table is full. */
static __always_inline long claim_reply(const struct tuple *reply, const struct tuple *original)
{
	struct tuple *owner;
	long err;

	if (!original->sport) /* an affinity, which has no packets */
		return 0;
	err = bpf_map_update_elem(&replies, reply, original, BPF_NOEXIST);
	if (err != -EEXIST)
		return err;
	owner = bpf_map_lookup_elem(&replies, reply);
	return owner && same_tuple(owner, original) ? -EALREADY : -EEXIST;
}

/* The i-th SNAT port to try for a flow of that hash. */
static __always_inline __be16 snat_port(__u64 hash, __u32 i)
{
	return bpf_htons(snat_first + mix64(hash + i) % snat_count);
}

/* Claims reply with the first port of the flow's probe sequence that is free. */
static __noinline long claim_snat_port(struct tuple *reply, const struct tuple *original)
{
	__u64 hash = hash_tuple(original) ^ snat_seed;
	long err = -EEXIST;

	for (int i = 0; i < PORT_ATTEMPTS && err == -EEXIST; i++) {
		reply->dport = snat_port(hash, i);
		err = claim_reply(reply, original);
	}
	return err;
}

static __always_inline void release_reply(const struct tuple *reply)
{
	bpf_map_delete_elem(&replies, reply);
}
