/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * From an SCTP packet (RFC 9260 3) to what the rules need. A chunk is described by the flags
 * of the TCP segment with the same role, so that both protocols share the rules that begin a
 * flow. pkt->seq is the verification tag, pkt->ack the initiate tag.
 */
#pragma once

#include "packet.h"

#define SCTP_DATA 0
#define SCTP_INIT 1
#define SCTP_INIT_ACK 2
#define SCTP_ABORT 6
#define SCTP_SHUTDOWN 7
#define SCTP_SHUTDOWN_ACK 8
#define SCTP_COOKIE_ECHO 10
#define SCTP_COOKIE_ACK 11
#define SCTP_SHUTDOWN_COMPLETE 14
#define SCTP_I_DATA 64 /* RFC 8260 2.1 */

#define SCTP_REFLECTED 1 /* the T bit: the tag is that of the other direction (RFC 9260 8.5.1) */
#define SCTP_INIT_MIN 20
#define CHUNKS_MAX 4 /* chunks of a packet that are looked at */

struct chunk {
	__u8 type;
	__u8 flags;
	__be16 length;
};

struct sctp_header {
	__be16 source;
	__be16 dest;
	__be32 tag;
	__u32 checksum; /* little-endian */
	struct chunk first;
};

static __always_inline __u8 role_of(__u8 type)
{
	switch (type) {
	case SCTP_INIT:
		return TCP_SYN;
	case SCTP_INIT_ACK:
		return TCP_SYN | TCP_ACK;
	case SCTP_ABORT:
	case SCTP_SHUTDOWN_COMPLETE:
		return TCP_RST;
	case SCTP_SHUTDOWN:
	case SCTP_SHUTDOWN_ACK:
		return TCP_FIN | TCP_ACK;
	}
	return TCP_ACK;
}

static __always_inline void read_chunk(struct packet *pkt, const struct chunk *chunk)
{
	pkt->chunk = chunk->type;
	pkt->tcp_flags = role_of(chunk->type);
	pkt->reflected = pkt->tcp_flags & TCP_RST ? chunk->flags & SCTP_REFLECTED : 0;
}

/* Whether the chunk read last may be followed by one with another role. Control chunks come before
 * data, and COOKIE ECHO and COOKIE ACK first (RFC 9260 6.10, 3.3.11, 3.3.12). */
static __always_inline bool may_be_followed(const struct packet *pkt)
{
	return pkt->tcp_flags == TCP_ACK && pkt->chunk != SCTP_DATA && pkt->chunk != SCTP_I_DATA &&
	       pkt->chunk != SCTP_COOKIE_ECHO && pkt->chunk != SCTP_COOKIE_ACK;
}

/* Looks for the chunk that matters behind the first one, of the length len. INIT and INIT ACK
 * are never bundled. */
static __always_inline void read_bundled(packet_ctx *ctx, struct packet *pkt, __u32 l4_len, __u32 len)
{
	__u32 at = offsetof(struct sctp_header, first);
	struct chunk chunk = {};

	for (int i = 1; i < CHUNKS_MAX && may_be_followed(pkt); i++) {
		at += (len + 3) & ~3u;
		if (at + sizeof(chunk) > l4_len || load_bytes(ctx, pkt->l4_off + at, &chunk, sizeof(chunk)))
			return;
		len = bpf_ntohs(chunk.length);
		if (len < sizeof(chunk) || (role_of(chunk.type) & TCP_SYN))
			return;
		read_chunk(pkt, &chunk);
	}
}

/* Reads the tags and chunks. Not inlined, so that the verifier checks it once. */
__noinline int parse_sctp(packet_ctx *ctx, struct packet *pkt, __u32 l4_len)
{
	struct sctp_header sctp = {};
	__be32 initiate = 0;
	__u32 len;

	if (!pkt || l4_len < sizeof(sctp) || load_bytes(ctx, pkt->l4_off, &sctp, sizeof(sctp)))
		return DROP_MALFORMED;
	len = bpf_ntohs(sctp.first.length);
	if (len < sizeof(sctp.first))
		return DROP_MALFORMED;
	pkt->seq = bpf_ntohl(sctp.tag);
	read_chunk(pkt, &sctp.first);
	if (!(pkt->tcp_flags & TCP_SYN)) {
		read_bundled(ctx, pkt, l4_len, len);
		return DROP_NONE;
	}
	if (len < SCTP_INIT_MIN || l4_len < offsetof(struct sctp_header, first) + SCTP_INIT_MIN ||
	    load_bytes(ctx, pkt->l4_off + sizeof(sctp), &initiate, sizeof(initiate)))
		return DROP_MALFORMED;
	if (pkt->chunk == SCTP_INIT && pkt->seq) /* RFC 9260 8.5.1 A */
		return DROP_MALFORMED;
	pkt->ack = bpf_ntohl(initiate);
	return DROP_NONE;
}
