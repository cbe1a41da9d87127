/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The flow hash. Both nodes of a pair and the Go model compute the same, hence
 * host byte order and no seed.
 */
#pragma once

#include <bpf/bpf_endian.h>

#include "types.h"

/* The finalizer of MurmurHash3 (Austin Appleby, public domain). */
static __always_inline __u64 mix64(__u64 h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdULL;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53ULL;
	h ^= h >> 33;
	return h;
}

#include "hash_addr.h"

/* Distinguishes the flow of an entry from the flow that had its memory before. It stays
 * on this host and need not be well distributed. */
static __always_inline __u32 flow_id(const struct tuple *t)
{
	return fold_addr(&t->src) ^ (__u32)((__u64)fold_addr(&t->dst) * 0x9e3779b1u >> 7) ^
	       ((__u32)t->sport << 16 | t->dport) ^ t->proto;
}

static __always_inline __u64 hash_tuple(const struct tuple *t)
{
	__u64 rest = (__u64)bpf_ntohs(t->sport) << 32 | (__u64)bpf_ntohs(t->dport) << 16 | t->proto;

	return mix64(hash_addresses(&t->src, &t->dst) ^ mix64(rest));
}
