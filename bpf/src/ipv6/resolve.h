/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Neighbour discovery (RFC 4861) for the VIPs. They are never assigned to the host, so the
 * program answers for them, and only while the lease holds.
 */
#pragma once

#include "count.h"
#include "header.h"
#include "icmp.h"
#include "lease.h"

#define NEIGHBOUR_SOLICITATION 135
#define NEIGHBOUR_ADVERTISEMENT 136
#define NDP_HOP_LIMIT 255
#define SOLICITATION_MAX 64 /* with its options; a host's has 32 */

/* Flags of an advertisement (4.4). */
#define FLAG_ROUTER 0x80
#define FLAG_SOLICITED 0x40
#define FLAG_OVERRIDE 0x20

#define OPTION_TARGET_ADDRESS 2

struct solicitation {
	__u8 type;
	__u8 code;
	__sum16 checksum;
	__be32 reserved;
	ip_addr target;
};

struct message {
	__u8 bytes[SOLICITATION_MAX];
};

DEFINE_ROOM(struct message, message)

struct advertisement {
	__u8 type;
	__u8 code;
	__sum16 checksum;
	__u8 flags;
	__u8 reserved[3];
	ip_addr target;
	__u8 option;
	__u8 option_len; /* in units of 8 bytes */
	__u8 mac[ETH_ALEN];
};

static __always_inline bool is_resolution(struct __sk_buff *skb)
{
	struct ipv6hdr *ip = header(skb, ETH_HLEN, sizeof(*ip));
	__u8 *type = header(skb, ETH_HLEN + sizeof(*ip), 1);

	return skb->protocol == bpf_htons(ETH_P_IPV6) && ip && type && ip->nexthdr == IPPROTO_ICMPV6 &&
	       *type == NEIGHBOUR_SOLICITATION;
}

static __always_inline bool is_unspecified(const ip_addr *a)
{
	return !(a->word[0] | a->word[1] | a->word[2] | a->word[3]);
}

/* ff02::1:ff00:0/104 (RFC 4291 2.7.1). */
static __always_inline bool is_solicited_node(const ip_addr *a)
{
	return a->word[0] == bpf_htonl(0xff020000) && !a->word[1] && a->word[2] == bpf_htonl(1) &&
	       bpf_ntohl(a->word[3]) >> 24 == 0xff;
}

/* RFC 4861 7.1.1, without the options, which are not read. */
static __always_inline bool is_valid_solicitation(struct __sk_buff *skb, const struct ipv6hdr *ip)
{
	__u32 len = bpf_ntohs(ip->payload_len), sum = pseudo_sum((const ip_addr *)&ip->saddr, (const ip_addr *)&ip->daddr, IPPROTO_ICMPV6, len);
	struct message *message = TAKE_ROOM(struct message, message);

	if (!message || ip->hop_limit != NDP_HOP_LIMIT || len < sizeof(struct solicitation) || len > SOLICITATION_MAX)
		return false;
	if (is_unspecified((const ip_addr *)&ip->saddr) && !is_solicited_node((const ip_addr *)&ip->daddr))
		return false;
	barrier_var(len); /* the verifier cannot use one comparison for both bounds */
	if (!len || bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(*ip), message->bytes, len) || message->bytes[1])
		return false;
	sum = csum_add(sum, bpf_csum_diff(NULL, 0, (__be32 *)message, sizeof(*message), 0));
	sum = (sum & 0xffff) + (sum >> 16);
	return ((sum & 0xffff) + (sum >> 16)) == 0xffff;
}

/* The destination of the answer: the sender, or all nodes if the source is unspecified, as in
 * duplicate address detection (RFC 4862 5.4). */
static __always_inline ip_addr answer_to(const ip_addr *asked)
{
	const ip_addr all_nodes = { { bpf_htonl(0xff020000), 0, 0, bpf_htonl(1) } };

	return is_unspecified(asked) ? all_nodes : *asked;
}

static __always_inline void write_advertisement(struct ethhdr *eth, struct ipv6hdr *ip, struct advertisement *na,
						const ip_addr *target, const ip_addr *asked, const volatile __u8 *mac)
{
	const __u8 all_nodes[ETH_ALEN] = { 0x33, 0x33, 0, 0, 0, 1 };
	struct advertisement said = {
		.type = NEIGHBOUR_ADVERTISEMENT, .flags = FLAG_ROUTER | FLAG_OVERRIDE, .target = *target,
		.option = OPTION_TARGET_ADDRESS, .option_len = 1,
	};
	ip_addr to = answer_to(asked);

	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	if (is_unspecified(asked))
		__builtin_memcpy(eth->h_dest, all_nodes, ETH_ALEN);
	else
		said.flags |= FLAG_SOLICITED;
	for (int i = 0; i < ETH_ALEN; i++)
		said.mac[i] = eth->h_source[i] = mac[i];
	*ip = (struct ipv6hdr){
		.version = 6, .payload_len = bpf_htons(sizeof(said)), .nexthdr = IPPROTO_ICMPV6, .hop_limit = NDP_HOP_LIMIT,
	};
	set_addresses(ip, target, &to);
	fix_checksum(&said.checksum, csum_add(pseudo_sum(target, &to, IPPROTO_ICMPV6, sizeof(said)),
					      bpf_csum_diff(NULL, 0, (__be32 *)&said, sizeof(said), 0)));
	*na = said;
}

/* answers is the link's ADDR_ANSWER_* bit, mac the link's own address. */
static __noinline int resolve(struct __sk_buff *skb, __u32 answers, const volatile __u8 *mac)
{
	struct ipv6hdr *ip = header(skb, ETH_HLEN, sizeof(*ip));
	struct solicitation *ns = header(skb, ETH_HLEN + sizeof(*ip), sizeof(*ns));
	struct counters *c = count();
	struct advertisement *na;
	ip_addr target, asked;
	struct ethhdr *eth;
	__u32 *roles;

	if (!ip || !ns)
		return TCX_NEXT;
	target = ns->target;
	asked = source_of(ip);
	roles = bpf_map_lookup_elem(&addresses, &target);
	if (!roles || !(*roles & answers) || !is_valid_solicitation(skb, ip))
		return TCX_NEXT;
	if (!lease_holds(now()))
		return drop(DROP_NO_LEASE);
	if (bpf_skb_change_tail(skb, ETH_HLEN + sizeof(*ip) + sizeof(*na), 0))
		return drop(DROP_MALFORMED);
	eth = header(skb, 0, sizeof(*eth));
	ip = header(skb, ETH_HLEN, sizeof(*ip));
	na = header(skb, ETH_HLEN + sizeof(*ip), sizeof(*na));
	if (!eth || !ip || !na)
		return drop(DROP_MALFORMED);
	write_advertisement(eth, ip, na, &target, &asked, mac);
	if (c)
		c->arp_replies++;
	return bpf_redirect(skb->ifindex, 0);
}
