/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What IPv4 addresses contribute to the hashes of a tuple.
 */
#pragma once

static __always_inline __u32 fold_addr(const ip_addr *a)
{
	return *a;
}

static __always_inline __u64 hash_addresses(const ip_addr *src, const ip_addr *dst)
{
	return (__u64)bpf_ntohl(*src) << 32 | bpf_ntohl(*dst);
}
