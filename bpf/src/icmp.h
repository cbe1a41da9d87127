/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * ICMP: messages that the node answers, and errors that it forwards for a flow.
 */
#pragma once

#include "leave.h"
#include "message.h"
#include "roles.h"

#define ICMP_WINDOW_SHIFT 30 /* the rate is counted in spans of 1.07 s */

/* Shared by all CPUs. Concurrent updates may get lost, so a few more errors may be sent. */
volatile __s64 icmp_span;
volatile __u32 icmp_sent;

static __always_inline bool may_send_error(__s64 at)
{
	__s64 span = at >> ICMP_WINDOW_SHIFT;

	if (icmp_span != span) {
		icmp_span = span;
		icmp_sent = 0;
	}
	if (icmp_sent >= icmp_rate)
		return false;
	icmp_sent++;
	return true;
}

/* The addresses of the IP header are swapped, so their sum does not change. */
static __always_inline int answer_echo(struct __sk_buff *skb, const struct packet *pkt)
{
	ip_header *ip = header(skb, ETH_HLEN, sizeof(*ip));
	struct icmp *icmp = header(skb, pkt->l4_off, sizeof(*icmp));
	struct counters *c = count();

	if (!ip || !icmp)
		return drop(DROP_MALFORMED);
	if (is_no_client(&pkt->tuple.src))
		return drop(DROP_SOURCE);
	turn_header(ip);
	fix_checksum(&icmp->checksum, (__u16)~icmp->type + ECHO_REPLY);
	icmp->type = ECHO_REPLY;
	if (c)
		c->echo_replies++;
	return answer(skb);
}

/* How much of a segment an error quotes. More of TCP's header than RFC 792's eight bytes is
 * needed, because the kernel does not cut off a checksum that it still has to complete. An
 * INIT is recognised by its initiate tag (RFC 9260 10). */
static __always_inline __u32 quoted_len(const struct packet *pkt)
{
	if (pkt->tuple.proto == IPPROTO_TCP)
		return sizeof(struct tcphdr);
	return pkt->tcp_flags & TCP_SYN ? sizeof(struct sctp_header) + sizeof(__be32) : 8;
}

/* Cuts the packet down to the part that an error quotes, makes room before it, and returns
 * the length of the part. */
static __always_inline __u32 make_room(struct __sk_buff *skb, const struct packet *pkt, struct icmp_error *error)
{
	__u32 len = pkt->l4_off - ETH_HLEN + quoted_len(pkt);

	if (len > QUOTED_MAX)
		return 0;
	barrier_var(len); /* the verifier cannot use one comparison for both bounds */
	if (!len)
		return 0;
	if (bpf_skb_load_bytes(skb, ETH_HLEN, error->quoted, len) || bpf_skb_change_tail(skb, ETH_HLEN + len, 0))
		return 0;
	if (bpf_skb_adjust_room(skb, sizeof(ip_header) + sizeof(struct icmp), BPF_ADJ_ROOM_MAC, 0))
		return 0;
	return len;
}

/* The sum of the quoted segment's header, plus its checksum field once more. For a packet
 * from a sender on this machine the kernel completes the checksum when the error leaves:
 * the header then sums to the complement of the field's old value. The kernel never completes an
 * SCTP checksum, so SCTP is left out. */
static __always_inline bool sum_quoted(struct __sk_buff *skb, const struct packet *pkt, __u32 *sum)
{
	if (pkt->tuple.proto == IPPROTO_TCP) {
		struct tcphdr *tcp = header(skb, pkt->l4_off, sizeof(*tcp));

		if (!tcp)
			return false;
		*sum = bpf_csum_diff(NULL, 0, (__be32 *)tcp, sizeof(*tcp), tcp->check);
	} else if (pkt->tuple.proto == IPPROTO_SCTP) {
		*sum = 0;
	} else {
		struct udphdr *udp = header(skb, pkt->l4_off, sizeof(*udp));

		if (!udp)
			return false;
		*sum = bpf_csum_diff(NULL, 0, (__be32 *)udp, sizeof(*udp), udp->check);
	}
	return true;
}

/* Drops a packet and sends its sender, if that is a client, an ICMP error from the destination address. Not inlined,
 * like track. */
__noinline int refuse(struct __sk_buff *skb, const struct packet *pkt, enum drop reason, __u32 mtu)
{
	struct icmp_error *error = TAKE_ROOM(struct icmp_error, icmp_error);
	struct counters *c = count();
	struct icmp *icmp;
	ip_header *ip;
	__u32 quoted, sum, header_sum;

	drop(reason);
	if (!pkt || pkt->kind != KIND_SEGMENT || is_no_client(&pkt->tuple.src) || !may_send_error(pkt->now))
		return TCX_DROP;
	if (!error || !sum_quoted(skb, pkt, &header_sum))
		return TCX_DROP;
	error->icmp = message_about(reason, mtu);
	quoted = make_room(skb, pkt, error);
	ip = header(skb, ETH_HLEN, sizeof(*ip));
	icmp = header(skb, ETH_HLEN + sizeof(*ip), sizeof(*icmp));
	if (!quoted || !ip || !icmp)
		return TCX_DROP;
	sum = write_header(ip, ICMP_PROTO, sizeof(*icmp) + quoted, pkt);
	sum = csum_add(sum, bpf_csum_diff(NULL, 0, (__be32 *)error, sizeof(*error), 0));
	/* First the value that is right if the kernel completes the packet's checksum.
	 * bpf_l4_csum_replace skips such a packet and adds the sum of the quoted part to all
	 * others. */
	fix_checksum(&error->icmp.checksum, csum_add(sum, ~header_sum));
	*icmp = error->icmp;
	if (bpf_l4_csum_replace(skb, ETH_HLEN + sizeof(*ip) + offsetof(struct icmp, checksum), 0, header_sum, 0))
		return TCX_DROP;
	if (c)
		c->icmp_errors++;
	return answer(skb);
}

/* RFC 5927 4.1: an error about a segment is believed only if that segment can be in flight.
 * An entry with unknown sequence numbers leaves the check to the receiver. */
static __always_inline bool is_under_way(const struct conn *conn, const struct packet *pkt, enum direction direction)
{
	__s32 length = conn->expected[direction] - conn->acked[direction];

	if (pkt->tuple.proto == IPPROTO_SCTP)
		return has_quoted_tag(conn, pkt, direction);
	if (pkt->tuple.proto != IPPROTO_TCP || !(word_of(conn) & WORD_EXPECTS << direction))
		return true;
	return pkt->seq - conn->acked[direction] <= (__u32)(length > 0 ? length : 0);
}

/* Forwards an error that arrives in a direction, about a segment of the other one. */
static __always_inline int forward_error(struct __sk_buff *skb, const struct packet *pkt, const struct conn *conn,
					 const struct tuple *to, enum direction direction)
{
	bool direct = leaves_unchanged(to);

	if (direct ? !is_plausible(conn, pkt) : !is_under_way(conn, pkt, opposite(direction)))
		return drop(DROP_ICMP_FORGED);
	if (direct ? !age(skb) : !translate_error(skb, pkt, to))
		return drop(DROP_MALFORMED);
	count_forwarded(skb, direction);
	return leave(skb, to, HOP_UNKNOWN, direction);
}
