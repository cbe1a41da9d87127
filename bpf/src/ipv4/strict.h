/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Packets that a router must not forward: a wrong header checksum (RFC 1812 5.2.2), a
 * source that cannot be a host (5.3.7), a source route (RFC 7126 4.3, 4.4).
 */
#pragma once

#include "parse.h"

#define OPTIONS_MAX 40
#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_LSRR 131
#define OPTION_SSRR 137

static __always_inline bool is_sum_right(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return ((sum & 0xffff) + (sum >> 16)) == 0xffff;
}

/* Finds a source route among the options, or an unterminated one. The byte after the
 * last option is 0. The loop visits each byte, so the verifier knows every index and
 * need not follow every possible option length. */
static __always_inline enum drop check_routing(const __u8 *options)
{
	__u32 rest = 0; /* remaining bytes of the option */

	for (int i = 0; i < OPTIONS_MAX; i++) {
		if (rest) {
			rest--;
			continue;
		}
		switch (options[i]) {
		case OPTION_END:
			return DROP_NONE;
		case OPTION_NOP:
			continue;
		case OPTION_LSRR:
		case OPTION_SSRR:
			return DROP_SOURCE_ROUTE;
		}
		if (i + 1 >= OPTIONS_MAX || options[i + 1] < 2)
			return DROP_MALFORMED;
		rest = options[i + 1] - 1;
	}
	return DROP_NONE;
}

/* sum is that of the header before its options. */
__noinline enum drop check_options(packet_ctx *ctx, __u32 ihl, __u32 sum)
{
	__u8 options[OPTIONS_MAX] = {};
	__u32 len = ihl - sizeof(struct iphdr);

	if (len > OPTIONS_MAX)
		return DROP_MALFORMED;
	barrier_var(len); /* the verifier cannot use one comparison for both bounds */
	if (!len || load_bytes(ctx, ETH_HLEN + sizeof(struct iphdr), options, len))
		return DROP_MALFORMED;
	for (int i = 0; i < OPTIONS_MAX; i += 2)
		sum += options[i] | (__u32)options[i + 1] << 8;
	if (!is_sum_right(sum))
		return DROP_CHECKSUM;
	return check_routing(options);
}

/* 0.0.0.0/8, 127.0.0.0/8, and all from 224.0.0.0: multicast, reserved, broadcast. */
static __always_inline bool is_no_host(__be32 addr)
{
	__u8 first = addr & 0xff;

	return first == 0 || first == 127 || first >= 224;
}

static __always_inline enum drop check_header(packet_ctx *ctx)
{
	struct iphdr *ip = header(ctx, ETH_HLEN, sizeof(*ip));
	__u32 sum;

	if (!ip)
		return DROP_MALFORMED;
	if (is_no_host(ip->saddr))
		return DROP_SOURCE;
	sum = header_sum(ip);
	if (ip->ihl > 5)
		return check_options(ctx, ip->ihl * 4, sum);
	return is_sum_right(sum) ? DROP_NONE : DROP_CHECKSUM;
}
