/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Transport checksums are in the packet. Only its value distinguishes a partial checksum
 * from a complete one. A frame that XDP transmits loses the kernel's metadata, so nobody
 * would complete a partial checksum.
 */
#pragma once

#include "crc32c.h"
#include "header.h"

static __always_inline __sum16 *checksum_of(packet_ctx *ctx, const struct packet *pkt)
{
	bool udp = pkt->tuple.proto == IPPROTO_UDP;

	return header(ctx, pkt->l4_off + (udp ? offsetof(struct udphdr, check) : offsetof(struct tcphdr, check)),
		      sizeof(__sum16));
}

static __always_inline __u32 folded(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* Whether a checksum looks like one from a sender on this machine: the sum of the pseudo
 * header, in either form of zero. One of 65,536 complete checksums does too. In SCTP it is 0. */
static __always_inline bool is_partial(packet_ctx *ctx, const struct packet *pkt)
{
	struct sctp_header *sctp;
	__u32 pseudo = folded(pseudo_sum(&pkt->tuple.src, &pkt->tuple.dst, pkt->tuple.proto, pkt->l4_len));
	__sum16 *check = checksum_of(ctx, pkt);

	if (pkt->tuple.proto == IPPROTO_SCTP) {
		sctp = header(ctx, pkt->l4_off, sizeof(*sctp));
		return !sctp || !sctp->checksum;
	}
	return !check || *check == pseudo || (pseudo == 0xffff && !*check);
}

static __always_inline bool fix_transport_checksum(packet_ctx *ctx, const struct packet *pkt, __u32 addresses,
						   __u32 ports)
{
	bool udp = pkt->tuple.proto == IPPROTO_UDP;
	__sum16 *check = checksum_of(ctx, pkt);

	if (!check)
		return false;
	if (udp && !*check) /* RFC 768: there is none */
		return true;
	fix_checksum(check, csum_add(addresses, ports));
	if (udp && !*check)
		*check = 0xffff;
	return true;
}
