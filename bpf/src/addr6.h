/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * An IPv6 address, which the IPv4 programs know as well: backends in mode dsr-ipip may be of the
 * other family than their VIP.
 */
#pragma once

#include <linux/types.h>
#include <stdbool.h>

typedef struct {
	__be32 word[4];
} ip6_addr;

static __always_inline bool same_addr6(const ip6_addr *a, const ip6_addr *b)
{
	return a->word[0] == b->word[0] && a->word[1] == b->word[1] && a->word[2] == b->word[2] &&
	       a->word[3] == b->word[3];
}
