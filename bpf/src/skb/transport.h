/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Transport checksums are changed by the kernel's helpers: packets from a veth carry
 * partial checksums, which only hold the sum of the pseudo header.
 */
#pragma once

#include "header.h"

/* Applies the changes of the sums of the addresses and of the ports. Returns false if
 * the packet has no room for a checksum. */
static __always_inline bool fix_transport_checksum(packet_ctx *ctx, const struct packet *pkt, __u32 addresses,
						   __u32 ports)
{
	bool udp = pkt->tuple.proto == IPPROTO_UDP;
	__u32 check = pkt->l4_off + (udp ? offsetof(struct udphdr, check) : offsetof(struct tcphdr, check));
	__u64 flags = udp ? BPF_F_MARK_MANGLED_0 : 0; /* 0 in UDP means that there is no checksum */

	bpf_l4_csum_replace(ctx, check, 0, addresses, BPF_F_PSEUDO_HDR | flags);
	bpf_l4_csum_replace(ctx, check, 0, ports, flags);
	return true;
}
