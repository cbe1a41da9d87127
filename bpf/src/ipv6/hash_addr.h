/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What IPv6 addresses contribute to the hashes of a tuple. The sender can choose all bits
 * of an address.
 */
#pragma once

static __always_inline __u32 fold_addr(const ip_addr *a)
{
	__u64 high = (__u64)a->word[0] << 32 | a->word[1], low = (__u64)a->word[2] << 32 | a->word[3];

	return (high * 0x9e3779b97f4a7c15ull ^ low) * 0xff51afd7ed558ccdull >> 32;
}

static __always_inline __u64 half(const ip_addr *a, int i)
{
	return (__u64)bpf_ntohl(a->word[i]) << 32 | bpf_ntohl(a->word[i + 1]);
}

static __always_inline __u64 hash_addresses(const ip_addr *src, const ip_addr *dst)
{
	__u64 h = mix64(mix64(half(src, 0)) ^ half(src, 2));

	return mix64(h ^ half(dst, 0)) ^ half(dst, 2);
}
