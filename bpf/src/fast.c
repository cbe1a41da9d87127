/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The XDP path of established flows, before the kernel allocates an skb. The rules are those
 * of lb.c, from the same files and on the same maps. Only ordinary packets of flows with an
 * entry are handled here. All others, and every packet without a valid lease, go unchanged to
 * the TCX program behind.
 *
 * A link has one XDP program. The IPv4 program is attached and calls the IPv6 program.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stddef.h>
#include <bpf/bpf_helpers.h>

#include "arrival.h"
#include "nat.h"
#include "outer.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The programs of the other family, by direction. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} other_family SEC(".maps");

static __always_inline int leave_to_tcx(enum left why)
{
	struct counters *c = count();

	_Static_assert(LEFT_KINDS <= LEFT_SLOTS, "a reason has no place to be counted");
	if (c)
		c->left[why & (LEFT_SLOTS - 1)]++;
	return XDP_PASS;
}

static __always_inline void count_fast(enum direction direction)
{
	struct counters *c = count();

	if (c)
		c->fast[direction]++;
}

/* Forwards a packet of a flow with an entry in an outer header for the backend. TCX counts up the
 * ids that a packet without DF needs. */
static __always_inline int pass_inside(packet_ctx *ctx, const struct packet *pkt, const struct arrival *a,
				       const struct tuple *to, __u64 hop)
{
	ip_header *inner = header(ctx, ETH_HLEN, sizeof(*inner));
	__u32 mtu = 0, bytes = frame_len(ctx), overhead = outer_len(&to->dst);
	struct inherited from_inner;
	struct ethhdr *eth;

	if (!inner)
		return leave_to_tcx(LEFT_OTHER);
	from_inner = inherit(inner);
	if ((needs_id(&from_inner) && overhead == sizeof(struct iphdr)) ||
	    bpf_check_mtu(ctx, backend_ifindex, &mtu, overhead, 0) || bpf_xdp_adjust_head(ctx, -(int)overhead))
		return leave_to_tcx(LEFT_OTHER);
	track(a->conn, a->original, a->id, pkt, ORIGINAL);
	if (!a->hop)
		remember_hop(a->conn, a->stamp, hop, ORIGINAL);
	inner = header(ctx, ETH_HLEN + overhead, sizeof(*inner));
	if (!inner)
		return drop(DROP_TUNNEL);
	age_header(inner);
	eth = header(ctx, 0, sizeof(*eth));
	if (!eth || !write_outer(ctx, &from_inner, &to->dst))
		return drop(DROP_TUNNEL);
	address_frame(eth, hop & ~HOP_ENCAPSULATED, ORIGINAL);
	count_packets(ORIGINAL, 1, bytes);
	count_fast(ORIGINAL);
	return bpf_redirect(backend_ifindex, 0);
}

/* Forwards a packet of a flow with an entry. */
static __always_inline int pass_on(packet_ctx *ctx, const struct packet *pkt, const struct arrival *a,
				  enum direction direction)
{
	struct service *svc = a->hop ? NULL : find_service(a->original);
	struct tuple to = target_of(a, direction); /* before may_follow */
	struct ethhdr *eth;
	__u64 hop;

	if ((!a->hop && !svc) || may_follow(pkt, a, direction) != DROP_NONE)
		return leave_to_tcx(LEFT_OTHER);
	if (snat_turns && meets_old_connection(a->conn, pkt, direction))
		return leave_to_tcx(LEFT_OTHER); /* which has the turns */
	if (svc && direction == ORIGINAL)
		encapsulate_for(&to, svc->mode == MODE_DSR_IPIP && leaves_unchanged(&to));
	hop = a->hop ? a->hop : find_neighbour(ctx, &to, egress(direction));
	if ((hop & ~HOP_ENCAPSULATED) == HOP_UNKNOWN)
		return leave_to_tcx(LEFT_NEIGHBOUR);
	if (direction == ORIGINAL && leaving_of(&to) == ENCAPSULATED)
		return pass_inside(ctx, pkt, a, &to, hop);
	track(a->conn, a->original, a->id, pkt, direction);
	if (!a->hop)
		remember_hop(a->conn, a->stamp, hop, direction);
	eth = header(ctx, 0, sizeof(*eth));
	if (!eth || !translate(ctx, pkt, &to))
		return drop(DROP_MALFORMED);
	address_frame(eth, hop, direction);
	count_forwarded(ctx, direction);
	count_fast(direction);
	return bpf_redirect(egress(direction), 0);
}

static __always_inline int fast(packet_ctx *ctx, enum direction direction)
{
	struct packet *pkt = TAKE_ROOM(struct packet, packet);
	struct arrival a = {};

	if (!pkt)
		return XDP_PASS;
	switch (judge(ctx, pkt, &a, direction)) {
	case FATE_HOST:
		return XDP_PASS;
	case FATE_SEGMENT:
		break;
	default:
		return leave_to_tcx(LEFT_OTHER);
	}
	if (pkt->more)
		return leave_to_tcx(LEFT_OTHER);
	if (!a.conn || (direction == ORIGINAL && reopens(word_of(a.conn), pkt)))
		return leave_to_tcx(LEFT_NEW);
	if (direction == REPLY && defer_replies && tells_client(a.conn, pkt))
		return leave_to_tcx(LEFT_NEW);
	if (is_partial(ctx, pkt))
		return leave_to_tcx(LEFT_CHECKSUM);
	if (is_kernels_turn(a.conn, pkt, direction))
		return leave_to_tcx(LEFT_NEIGHBOUR);
	return pass_on(ctx, pkt, &a, direction);
}

static __always_inline bool is_for(const struct ethhdr *eth, const volatile __u8 *mac)
{
	__u8 other = 0;

	for (int i = 0; i < ETH_ALEN; i++)
		other |= eth->h_dest[i] ^ mac[i];
	return !other;
}

static __always_inline int enter(packet_ctx *ctx, enum direction direction, const volatile __u8 *mac)
{
	struct ethhdr *eth = header(ctx, 0, sizeof(*eth));

	if (!eth || !is_for(eth, mac))
		return XDP_PASS;
	if (eth->h_proto == bpf_htons(ETHERTYPE))
		return fast(ctx, direction);
	bpf_tail_call(ctx, &other_family, direction);
	return XDP_PASS;
}

SEC("xdp.frags")
int fast_client(struct xdp_md *ctx)
{
	return enter(ctx, ORIGINAL, client_mac);
}

SEC("xdp.frags")
int fast_backend(struct xdp_md *ctx)
{
	return enter(ctx, REPLY, backend_mac);
}
