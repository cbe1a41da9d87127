/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Refusal of a new flow without a backend: a RST, an ABORT or a port unreachable.
 */
#pragma once

#include "crc32c.h"
#include "icmp.h"

static __always_inline __sum16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* Cuts a packet down to an IP header, without options and extensions, and the first len bytes behind it. */
static __always_inline bool cut_to_headers(struct __sk_buff *skb, const struct packet *pkt, __u32 len)
{
	__s32 between = pkt->l4_off - ETH_HLEN - (__s32)sizeof(ip_header);

	if (bpf_skb_change_tail(skb, pkt->l4_off + len, 0))
		return false;
	return !between || !bpf_skb_adjust_room(skb, -between, BPF_ADJ_ROOM_MAC, 0);
}

/* Turns a SYN into a segment without data that answers it. If the kernel still has to complete
 * the packet's checksum, the field starts as the sum of the pseudo header and
 * bpf_l4_csum_replace leaves it unchanged. For all other packets bpf_l4_csum_replace computes
 * the complete checksum. Not inlined, like track. */
__noinline int answer_syn(struct __sk_buff *skb, const struct packet *pkt, __u32 ack, bool rst)
{
	struct tcphdr *tcp;
	__u32 pseudo, sum;
	ip_header *ip;

	if (!pkt || !cut_to_headers(skb, pkt, sizeof(*tcp)))
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

/* Turns an INIT into an ABORT that has the tag of the INIT's sender. Not inlined, like track. */
__noinline int answer_init(struct __sk_buff *skb, const struct packet *pkt)
{
	struct sctp_header *sctp, answer;
	ip_header *ip;

	if (!pkt || !cut_to_headers(skb, pkt, sizeof(*sctp)))
		return false;
	ip = header(skb, ETH_HLEN, sizeof(*ip));
	if (!ip)
		return false;
	write_header(ip, IPPROTO_SCTP, sizeof(*sctp), pkt);
	answer = (struct sctp_header){
		.source = pkt->tuple.dport, .dest = pkt->tuple.sport, .tag = bpf_htonl(pkt->ack),
		.first = { .type = SCTP_ABORT, .length = bpf_htons(sizeof(answer.first)) },
	};
	answer.checksum = crc_of((__u32 *)&answer, sizeof(answer) / sizeof(__u32));
	return !bpf_skb_store_bytes(skb, ETH_HLEN + sizeof(*ip), &answer, sizeof(answer), 0);
}

static __always_inline bool answer_refused(struct __sk_buff *skb, const struct packet *pkt)
{
	if (pkt->tuple.proto == IPPROTO_SCTP)
		return answer_init(skb, pkt);
	return answer_syn(skb, pkt, pkt->seq + pkt->payload + 1, true);
}

/* Answers a SYN with the RST of a host without a listener (RFC 9293 3.10.7.1), and an INIT with an
 * ABORT (RFC 9260 5.1). */
static __always_inline int reset(struct __sk_buff *skb, const struct packet *pkt)
{
	struct counters *c = count();

	if (pkt->more || !may_send_error(pkt->now) || !answer_refused(skb, pkt))
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
