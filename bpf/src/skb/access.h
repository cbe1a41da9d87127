/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * A packet as a TCX program sees it. The rules are also compiled once for each hook. The
 * folders skb and xdp hold the differences in files of the same names.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

/* Debian's kernel headers lack the TCX_* verdicts (linux/bpf.h, Linux 6.6). */
#define TCX_NEXT (-1)
#define TCX_DROP 2
#define DROPPED TCX_DROP

typedef struct __sk_buff packet_ctx;

static __always_inline __u32 frame_len(const packet_ctx *ctx)
{
	return ctx->len;
}

/* A GSO packet stands for several packets. */
static __always_inline __u32 packets_in(const packet_ctx *ctx)
{
	__u32 segments = ctx->gso_segs;

	return segments ? segments : 1;
}

static __always_inline bool is_to_host(const packet_ctx *ctx)
{
	return ctx->pkt_type == PACKET_HOST;
}

static __always_inline long load_bytes(packet_ctx *ctx, __u32 offset, void *to, __u32 len)
{
	return bpf_skb_load_bytes(ctx, offset, to, len);
}

static __always_inline long store_bytes(packet_ctx *ctx, __u32 offset, const void *from, __u32 len)
{
	return bpf_skb_store_bytes(ctx, offset, (void *)from, len, 0);
}

/* For a GSO packet, whether one of its segments is too big. */
static __always_inline bool is_too_big(packet_ctx *ctx, __u32 ifindex, __u32 *mtu)
{
	return bpf_check_mtu(ctx, ifindex, mtu, 0, BPF_MTU_CHK_SEGS) > 0;
}
