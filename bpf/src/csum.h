/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Ones' complement arithmetic.
 */
#pragma once

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/types.h>

static __always_inline __u32 csum_add(__u32 a, __u32 b)
{
	a += b;
	return a + (a < b);
}

/* The ones' complement difference from one pair of words to another. */
static __always_inline __u32 csum_change(__u32 a_from, __u32 a_to, __u32 b_from, __u32 b_to)
{
	return csum_add(csum_add(~a_from, a_to), csum_add(~b_from, b_to));
}

/* Changes a checksum that is never partial (RFC 1624, equation 3). */
static __always_inline void fix_checksum(__sum16 *check, __u32 change)
{
	__u32 sum = (__u16)~*check + (change & 0xffff) + (change >> 16);

	sum = (sum & 0xffff) + (sum >> 16);
	*check = ~((sum & 0xffff) + (sum >> 16));
}

/* Ones' complement sum of the words of an IPv4 header without options. */
static __always_inline __u32 header_sum(const struct iphdr *ip)
{
	const __u16 *word = (const void *)ip;
	__u32 sum = 0;

	for (int i = 0; i < (int)(sizeof(*ip) / sizeof(*word)); i++)
		sum += word[i];
	return sum;
}
