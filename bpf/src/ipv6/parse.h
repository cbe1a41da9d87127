/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * From an IPv6 frame to a conntrack tuple.
 */
#pragma once

#include <linux/ipv6.h>

#include "packet.h"

#define EXTENSIONS_MAX 64 /* bytes of extension headers, compare RFC 8504 5.3 */
#define HEADERS_MAX (ETH_HLEN + 2 * (sizeof(struct ipv6hdr) + EXTENSIONS_MAX) + sizeof(struct icmp) + 8)
#define FRAGMENT_MORE 1
#define FRAGMENT_OFFSET 0xfff8

/* linux/icmpv6.h is as linux/icmp.h. */
#define ICMPV6_UNREACHABLE 1
#define ICMPV6_PORT_UNREACHABLE 4 /* a code of ICMPV6_UNREACHABLE */
#define ICMPV6_PARAMETER_PROBLEM 4 /* with 2, too big, and 3, time exceeded, between */
#define ICMPV6_TOO_BIG 2
#define ICMPV6_TIME_EXCEEDED 3
#define ICMPV6_ECHO 128
#define ICMPV6_ECHO_REPLY 129

typedef struct ipv6hdr ip_header;

/* RFC 8200 4. In a routing header the third byte is segments left. */
struct extension {
	__u8 next;
	__u8 len; /* in units of 8 bytes, beyond the first; not of a fragment header */
	__u8 type;
	__u8 left;
};

struct fragment_header {
	__u8 next;
	__u8 reserved;
	__be16 offset; /* and whether more follow */
	__be32 id;
};

/* The result of walking the headers behind an IPv6 header. */
struct chain {
	__u8 next; /* the protocol at off */
	__u8 off;
	__u8 fragment_off; /* see struct packet */
	bool later;	   /* a fragment other than the first: there is no transport header at off */
	bool more;
};

/* Reads the addresses. A packet too short for them does not concern a VIP. */
static __always_inline bool parse_addresses(packet_ctx *ctx, struct packet *pkt)
{
	struct ipv6hdr *ip = header(ctx, ETH_HLEN, sizeof(*ip));

	if (!ip || ip->version != 6)
		return false;
	pkt->tuple.src = *(ip_addr *)&ip->saddr;
	pkt->tuple.dst = *(ip_addr *)&ip->daddr;
	return true;
}

static __always_inline bool is_extension(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT ||
	       next == IPPROTO_DSTOPTS;
}

/* Skips one header. */
static __always_inline enum drop pass_extension(struct chain *c, const struct extension *ext, bool first)
{
	const struct fragment_header *fragment = (const void *)ext;
	__u32 len = (ext->len + 1) * 8;

	if (c->next == IPPROTO_HOPOPTS && !first)
		return DROP_MALFORMED;
	if (c->next == IPPROTO_ROUTING && ext->left)
		return DROP_SOURCE_ROUTE; /* RFC 5095, 8200 4.4: a source route */
	if (c->next == IPPROTO_FRAGMENT) {
		if (c->fragment_off)
			return DROP_MALFORMED;
		len = sizeof(*fragment);
		c->fragment_off = c->off;
		c->later = bpf_ntohs(fragment->offset) & FRAGMENT_OFFSET;
		c->more = bpf_ntohs(fragment->offset) & FRAGMENT_MORE;
	}
	if (len > EXTENSIONS_MAX)
		return DROP_MALFORMED;
	c->next = ext->next;
	c->off += len;
	return DROP_NONE;
}

/* Skips the extension headers. Their options are for the receiver. Not inlined, so that the
 * verifier checks it once. */
__noinline int pass_extensions(packet_ctx *ctx, struct chain *c)
{
	struct extension *ext;
	enum drop reason;
	__u32 start;

	if (!c)
		return DROP_MALFORMED;
	start = c->off;
	for (int i = 0; i < EXTENSIONS_MAX / 8 && is_extension(c->next) && !c->later; i++) {
		ext = header(ctx, c->off, 8);
		if (!ext || c->off - start >= EXTENSIONS_MAX)
			return DROP_MALFORMED; /* without parsing it */
		reason = pass_extension(c, ext, i == 0);
		if (reason != DROP_NONE)
			return reason;
		if (c->off - start > EXTENSIONS_MAX)
			return DROP_MALFORMED;
	}
	return is_extension(c->next) && !c->later ? DROP_MALFORMED : DROP_NONE;
}

/* An ICMP error quotes the beginning of a packet, and is for that packet's sender. */
static __always_inline enum drop parse_error(packet_ctx *ctx, struct packet *pkt, __u32 l4_len)
{
	__u32 inner_off = pkt->l4_off + sizeof(struct icmp);
	struct ipv6hdr *inner = header(ctx, inner_off, sizeof(*inner));
	struct chain c = { .off = inner_off + sizeof(*inner) };
	ip_addr src, dst;
	enum drop reason;

	if (!inner || inner->version != 6)
		return DROP_MALFORMED;
	src = *(ip_addr *)&inner->saddr;
	dst = *(ip_addr *)&inner->daddr;
	c.next = inner->nexthdr;
	if (is_extension(c.next)) {
		reason = pass_extensions(ctx, &c);
		if (reason != DROP_NONE)
			return DROP_MALFORMED;
	}
	if (l4_len < (__u32)c.off - pkt->l4_off + 8)
		return DROP_MALFORMED;
	if (!same_addr(&src, &pkt->tuple.dst) || c.later || !is_transport(c.next))
		return DROP_ICMP;
	pkt->tuple.src = dst;
	pkt->tuple.proto = c.next;
	pkt->inner_l4_off = c.off;
	return parse_quoted(ctx, pkt);
}

static __always_inline enum drop parse_icmp(packet_ctx *ctx, struct packet *pkt, __u32 l4_len)
{
	struct icmp *icmp = header(ctx, pkt->l4_off, sizeof(*icmp));

	if (!icmp || l4_len < sizeof(*icmp))
		return DROP_MALFORMED;
	if (icmp->type == ICMPV6_ECHO) {
		pkt->kind = KIND_ECHO;
		return drop_echo ? DROP_ICMP : DROP_NONE;
	}
	if (icmp->type < ICMPV6_UNREACHABLE || icmp->type > ICMPV6_PARAMETER_PROBLEM)
		return DROP_ICMP;
	pkt->kind = KIND_ERROR;
	return parse_error(ctx, pkt, l4_len);
}

/* Reads the rest of the tuple. Returns DROP_NONE, or why a packet of a VIP is dropped. */
static __always_inline enum drop parse_transport(packet_ctx *ctx, struct packet *pkt)
{
	struct ipv6hdr *ip = header(ctx, ETH_HLEN, sizeof(*ip));
	struct chain c = { .off = ETH_HLEN + sizeof(*ip) };
	enum drop reason;
	__u32 end;

	if (!ip)
		return DROP_MALFORMED;
	end = ETH_HLEN + sizeof(*ip) + bpf_ntohs(ip->payload_len);
	if (end > frame_len(ctx))
		return DROP_MALFORMED;
	pkt->ttl = ip->hop_limit;
	c.next = ip->nexthdr;
	if (is_extension(c.next)) {
		reason = pass_extensions(ctx, &c);
		if (reason != DROP_NONE)
			return reason;
	}
	pkt->l4_off = c.off;
	pkt->fragment_off = c.fragment_off;
	if (c.off > end)
		return DROP_MALFORMED;
	if (c.later) {
		pkt->kind = KIND_FRAGMENT;
		return DROP_NONE;
	}
	if (c.next == IPPROTO_ICMPV6)
		return c.more ? DROP_FRAGMENT : parse_icmp(ctx, pkt, end - c.off);
	if (!is_transport(c.next))
		return DROP_OTHER_PROTO;
	pkt->more = c.more;
	return parse_segment(ctx, pkt, c.next, end - c.off);
}
