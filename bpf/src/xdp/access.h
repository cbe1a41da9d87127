/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * A packet as an XDP program sees it: its first buffer, which may end before the packet.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#define DROPPED XDP_DROP

typedef struct xdp_md packet_ctx;

static __always_inline __u32 frame_len(const packet_ctx *ctx)
{
	return ctx->data_end - ctx->data;
}

static __always_inline __u32 packets_in(const packet_ctx *ctx)
{
	(void)ctx;
	return 1;
}

/* fast.c has already checked the address. */
static __always_inline bool is_to_host(const packet_ctx *ctx)
{
	(void)ctx;
	return true;
}

static __always_inline long load_bytes(packet_ctx *ctx, __u32 offset, void *to, __u32 len)
{
	return bpf_xdp_load_bytes(ctx, offset, to, len);
}

static __always_inline long store_bytes(packet_ctx *ctx, __u32 offset, const void *from, __u32 len)
{
	return bpf_xdp_store_bytes(ctx, offset, (void *)from, len);
}

static __always_inline bool is_too_big(packet_ctx *ctx, __u32 ifindex, __u32 *mtu)
{
	return bpf_check_mtu(ctx, ifindex, mtu, 0, 0) != 0;
}
