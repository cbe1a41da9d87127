/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Refusal of a new flow without a backend: a RST or a port unreachable.
 */
#pragma once

#include "icmp.h"

static __always_inline __sum16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* Cuts a packet down to an IP header and a TCP header, without options and extensions. */
static __always_inline bool cut_to_headers(struct __sk_buff *skb, const struct packet *pkt)
{
	__s32 between = pkt->l4_off - ETH_HLEN - (__s32)sizeof(ip_header);

	if (bpf_skb_change_tail(skb, pkt->l4_off + sizeof(struct tcphdr), 0))
		return false;
	return !between || !bpf_skb_adjust_room(skb, -between, BPF_ADJ_ROOM_MAC, 0);
}

/* Turns a SYN into a segment without data that answers it. If the kernel still has to complete
 * the packet's checksum, the field starts as the sum of the pseudo header and
 * bpf_l4_csum_replace leaves it unchanged. For all other packets bpf_l4_csum_replace computes
 * the complete checksum. */
static __noinline bool answer_syn(struct __sk_buff *skb, const struct packet *pkt, __u32 ack, bool rst)
{
	struct tcphdr *tcp;
	__u32 pseudo, sum;
	ip_header *ip;

	if (!cut_to_headers(skb, pkt))
		return false;
	ip = header(skb, ETH_HLEN, sizeof(*ip));
	tcp = header(skb, ETH_HLEN + sizeof(*ip), sizeof(*tcp));
	if (!ip || !tcp)
		return false;
	pseudo = write_header(ip, IPPROTO_TCP, sizeof(*tcp), pkt);
	*tcp = (struct tcphdr){
		.source = pkt->tuple.dport, .dest = pkt->tuple.sport, .doff = sizeof(*tcp) / 4, .rst = rst, .ack = 1,
		.ack_seq = bpf_htonl(ack),
	};
	sum = bpf_csum_diff(NULL, 0, (__be32 *)tcp, sizeof(*tcp), csum_add(pseudo, pseudo));
	tcp->check = fold(pseudo);
	return !bpf_l4_csum_replace(skb, ETH_HLEN + sizeof(*ip) + offsetof(struct tcphdr, check), 0, sum, 0);
}

/* Answers a SYN with the RST of a host without a listener (RFC 9293 3.10.7.1). */
static __always_inline int reset(struct __sk_buff *skb, const struct packet *pkt)
{
	struct counters *c = count();

	if (pkt->more || !may_send_error(pkt->now) || !answer_syn(skb, pkt, pkt->seq + pkt->payload + 1, true))
		return TCX_DROP;
	if (c)
		c->resets++;
	return answer(skb);
}

/* Refuses a flow whose service has no backend. */
static __always_inline int turn_away(struct __sk_buff *skb, const struct packet *pkt, const struct service *svc)
{
	if (!svc->refuse || !opens(pkt))
		return drop(DROP_NO_BACKEND);
	if (pkt->tuple.proto == IPPROTO_UDP)
		return refuse(skb, pkt, DROP_NO_BACKEND, 0);
	drop(DROP_NO_BACKEND);
	return reset(skb, pkt);
}
