/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Encapsulation for the backends of mode dsr-ipip: the client's packet, with its TTL decremented,
 * inside an IP header from this node to the backend. Each family may be inside the other.
 *
 * The source is the node's own address and not one that is made from the flow. Routers that check
 * sources and the backend's rp_filter accept it, and errors about the outer packet come back here.
 */
#pragma once

#include "count.h"
#include "outer.h"

/* Whether an error to this host is about a packet that it has encapsulated. Not inlined, like
 * track. */
__noinline int is_about_tunnel(struct __sk_buff *skb, const struct packet *pkt)
{
	ip_header *quoted;

	if (!pkt || !encapsulates || pkt->kind != KIND_ERROR)
		return false;
	quoted = header(skb, pkt->l4_off + sizeof(struct icmp), sizeof(*quoted));
	return quoted && (protocol_of(quoted) == IPPROTO_IPIP || protocol_of(quoted) == IPPROTO_IPV6) && is_tunnel_source(&pkt->tuple.dst) &&
	       same_addr((const ip_addr *)&quoted->saddr, &pkt->tuple.dst);
}

/* Whether the packet exceeds the backend link's MTU inside an outer header of that length: of a GSO
 * packet each segment, with the headers before headers_end. Sets the MTU that its sender has to
 * keep. Not inlined, like track. */
__noinline int is_too_big_inside(struct __sk_buff *skb, __u32 headers_end, __u32 overhead, __u32 *mtu)
{
	__u32 len = skb->gso_size ? headers_end + skb->gso_size : skb->len, limit = 0;

	if (!mtu)
		return true;
	bpf_check_mtu(skb, backend_ifindex, &limit, 0, 0);
	*mtu = limit - overhead;
	return len - ETH_HLEN + overhead > limit;
}

/* The end of the transport header. */
static __always_inline __u32 headers_end(const struct packet *pkt)
{
	return pkt->l4_off + (pkt->tuple.proto == IPPROTO_TCP ? pkt->l4_len - pkt->payload : sizeof(struct udphdr));
}

#define LEN_MAX 0xffff /* of an IP packet */

/* Puts the packet into an outer header for the backend. A GSO packet keeps the size of its
 * segments, which is_too_big_inside has found to fit; it may be too long itself. */
static __always_inline bool encapsulate(struct __sk_buff *skb, const struct tuple *to)
{
	ip_header *ip = header(skb, ETH_HLEN, sizeof(*ip));
	__u32 overhead = outer_len(&to->dst);
	struct inherited from_inner;
	__u64 by;

	if (!ip)
		return false;
	from_inner = inherit(ip);
	if (from_inner.len + overhead > LEN_MAX)
		return false;
	by = overhead == sizeof(struct iphdr) ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;
	if (bpf_skb_adjust_room(skb, overhead, BPF_ADJ_ROOM_MAC, by | BPF_F_ADJ_ROOM_FIXED_GSO))
		return false;
	return write_outer(skb, &from_inner, &to->dst);
}
