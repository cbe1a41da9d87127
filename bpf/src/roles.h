/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What an address is to this node.
 */
#pragma once

#include "maps.h"

static __always_inline __u32 roles_of(const ip_addr *addr)
{
	__u32 *roles = bpf_map_lookup_elem(&addresses, addr);

	return roles ? *roles : 0;
}

/* Whether a packet's source is not a single other host: it opens no flow and gets no answer (RFC 1122
 * 3.2.1.3, 1812 4.3.2.7). Not inlined, like track. */
__noinline int is_no_client(const ip_addr *src)
{
	return src && roles_of(src) & (ADDR_VIRTUAL | ADDR_OWN | ADDR_BROADCAST);
}
