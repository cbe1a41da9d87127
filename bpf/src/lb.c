/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The load balancer's programs. from_client and from_backend are attached to the ingress of its
 * two links. User space runs table_apply, table_heal, table_remove, table_assure and
 * table_check.
 *
 * A packet is left to the host (TCX_NEXT), translated and forwarded, or dropped and counted.
 * A packet of a VIP is never left to the host: its stack has no socket for it and would send
 * a RST.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stddef.h>
#include <bpf/bpf_helpers.h>

#include "arrival.h"
#include "challenge.h"
#include "defer.h"
#include "fragment.h"
#include "icmp.h"
#include "leave.h"
#include "nat.h"
#include "open.h"
#include "refusal.h"
#include "reset.h"
#include "resolve.h"
#include "table.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Drivers may leave headers outside the linear part. Direct access reaches only that part. */
static __always_inline void pull_headers(struct __sk_buff *skb)
{
	__u32 linear = skb->data_end - skb->data;

	if (linear < HEADERS_MAX && linear < skb->len)
		bpf_skb_pull_data(skb, skb->len < HEADERS_MAX ? skb->len : HEADERS_MAX);
}

/* For a flow just opened nothing is remembered, because most flows are short. */
static __always_inline int forward(struct __sk_buff *skb, const struct packet *pkt, const struct tuple *to, __u64 hop,
				   enum direction direction)
{
	enum drop reason;

	if (pkt->more) {
		reason = begin_datagram(skb, pkt, to, direction);
		if (reason != DROP_NONE)
			return drop(reason);
		count_fragment();
	}
	if (!translate(skb, pkt, to))
		return drop(DROP_MALFORMED);
	count_forwarded(skb, direction);
	return leave(skb, to, hop, direction);
}

/* Translates a reply and defers it. Returns NOT_DEFERRED if there is no room for it. */
#define NOT_DEFERRED 1

static __noinline int defer_reply(struct __sk_buff *skb, const struct packet *pkt, const struct conn *conn,
				  const struct tuple *original)
{
	struct deferring *d = take_deferring();
	enum drop reason;

	if (!d || !pkt || !conn || !original)
		return drop(DROP_MISS);
	d->to = reversed(original);
	if (pkt->more) {
		reason = begin_datagram(skb, pkt, &d->to, REPLY);
		if (reason != DROP_NONE)
			return drop(reason);
		count_fragment();
	}
	if (!translate(skb, pkt, &d->to))
		return drop(DROP_MALFORMED);
	if (!put_deferred(skb, &d->record, original, conn))
		return NOT_DEFERRED;
	count_deferred(true);
	return TCX_DROP;
}

/* Handles the reply that tells a client that its flow is established. A UDP flow changes its
 * state only with a reply that was sent. */
static __always_inline int telling_reply(struct __sk_buff *skb, const struct packet *pkt, const struct arrival *a)
{
	bool udp = pkt->tuple.proto == IPPROTO_UDP;
	int verdict;

	if (!udp)
		track(a->conn, a->original, a->id, pkt, REPLY);
	verdict = defer_reply(skb, pkt, a->conn, a->original);
	if (verdict != NOT_DEFERRED)
		return verdict;
	count_deferred(false);
	if (udp)
		track(a->conn, a->original, a->id, pkt, REPLY);
	count_forwarded(skb, REPLY);
	return leave_to(&a->original->src, REPLY);
}

/* Forwards a packet of a flow with an entry. */
static __always_inline int pass_on(struct __sk_buff *skb, const struct packet *pkt, const struct arrival *a,
				  enum direction direction)
{
	struct tuple to = target_of(a, direction);
	enum drop reason = may_follow(pkt, a, direction);

	if (reason != DROP_NONE)
		return drop(reason);
	if (direction == REPLY && defer_replies && tells_client(a->conn, pkt) && !is_backend(&a->original->src))
		return telling_reply(skb, pkt, a);
	if (snat_turns && meets_old_connection(a->conn, pkt, direction))
		skip_turn(&a->conn->reply);
	track(a->conn, a->original, a->id, pkt, direction);
	if (!a->hop)
		remember_hop(a->conn, a->stamp, find_neighbour(skb, &to, egress(direction)), direction);
	return forward(skb, pkt, &to, a->hop, direction);
}

/* Handles a client's packet that starts a flow or whose entry is missing. */
static __always_inline int begin(struct __sk_buff *skb, const struct packet *pkt, struct service *svc, struct conn *conn)
{
	struct tuple reply = {}, to;
	enum drop reason;

	if (pkt->relayed)
		return drop(DROP_RELAYED);
	if (is_no_client(&pkt->tuple.src) || is_forged(skb, pkt))
		return drop(DROP_SOURCE);
	if (svc->challenge && !conn && pkt->tuple.proto == IPPROTO_TCP) {
		if ((pkt->tcp_flags & (TCP_RST | TCP_SYN)) == TCP_RST)
			return take_answer(pkt, svc);
		if (svc->size && is_fresh_syn(pkt) && must_answer(&pkt->tuple, svc, pkt->now))
			return challenge(skb, pkt, svc);
	}
	reason = open_flow(pkt, svc, conn, &reply);
	if (reason != DROP_NONE)
		count_refused(&pkt->tuple, svc, reason);
	if (reason == DROP_NO_BACKEND)
		return turn_away(skb, pkt, svc);
	if (reason != DROP_NONE)
		return drop(reason);
	to = reversed(&reply);
	encapsulate_for(&to, overhead_of(svc, &reply));
	return forward(skb, pkt, &to, 0, ORIGINAL);
}

/* Handles a packet from a client to a service. */
static __always_inline int original_direction(struct __sk_buff *skb, const struct packet *pkt, struct arrival *a)
{
	bool follows = a->conn && !reopens(word_of(a->conn), pkt);
	struct service *svc = NULL;
	__u32 overhead;

	if (!a->hop || !follows) {
		svc = find_service(&pkt->tuple);
		if (!svc)
			return drop(DROP_NO_SERVICE);
		overhead = follows ? overhead_of(svc, &a->conn->reply) : svc->overhead;
		a->encapsulated = overhead;
	} else {
		overhead = a->encapsulated ? outer_len(&a->conn->reply.src) : 0;
	}
	if (overhead && is_too_big_inside(skb, headers_end(pkt), overhead, &a->mtu))
		return refuse(skb, pkt, DROP_TOO_BIG, a->mtu);
	return follows ? pass_on(skb, pkt, a, ORIGINAL) : begin(skb, pkt, svc, a->conn);
}

/* Handles a packet from a backend. */
static __always_inline int reply_direction(struct __sk_buff *skb, const struct packet *pkt, const struct arrival *a)
{
	if (!a->conn)
		return drop(DROP_MISS);
	if (!a->hop && !find_service(a->original))
		return drop(DROP_NO_SERVICE);
	return pass_on(skb, pkt, a, REPLY);
}

/* Handles an ICMP error that arrives in a direction. */
static __noinline int error_of_flow(struct __sk_buff *skb, const struct packet *pkt, const struct conn *conn,
				    const struct tuple *original, enum direction direction)
{
	struct service *svc;
	struct tuple to;
	__u32 mtu, overhead;

	if (!conn || !original)
		return drop(DROP_ICMP);
	svc = find_service(original);
	if (!svc)
		return drop(DROP_NO_SERVICE);
	to = reversed(direction == ORIGINAL ? &conn->reply : original);
	overhead = direction == ORIGINAL ? overhead_of(svc, &conn->reply) : 0;
	if (overhead) {
		if (is_too_big_inside(skb, 0, overhead, &mtu))
			return drop(DROP_TOO_BIG);
		encapsulate_for(&to, true);
	}
	return forward_error(skb, pkt, conn, &to, direction);
}

/* The length of the header that a packet that is too big even without it would have got. */
static __noinline __u32 overhead(const struct packet *pkt, const struct conn *conn, enum direction direction)
{
	struct service *svc = direction == ORIGINAL && pkt ? find_service(&pkt->tuple) : NULL;

	if (!svc)
		return 0;
	return conn ? overhead_of(svc, &conn->reply) : svc->overhead;
}

static __always_inline int expire(struct __sk_buff *skb, const struct packet *pkt)
{
	if (!pkt->ttl) /* must not be forwarded */
		return drop(DROP_TTL);
	return refuse(skb, pkt, DROP_TTL, 0);
}

/* Handles a packet that arrives in a direction, if it is balanced. */
static __always_inline int ip(struct __sk_buff *skb, enum direction direction)
{
	struct packet *pkt = TAKE_ROOM(struct packet, packet);
	struct arrival a = {};

	if (!pkt)
		return TCX_DROP;
	switch (judge(skb, pkt, &a, direction)) {
	case FATE_HOST:
		return direction == REPLY && is_about_tunnel(skb, pkt) ? drop(DROP_TUNNEL) : TCX_NEXT;
	case FATE_DROP:
		return drop(a.reason);
	case FATE_RELAY:
		return relay(skb, pkt, direction);
	case FATE_ECHO:
		return answer_echo(skb, pkt);
	case FATE_EXPIRED:
		return expire(skb, pkt);
	case FATE_TOO_BIG:
		return refuse(skb, pkt, DROP_TOO_BIG, a.mtu - overhead(pkt, a.conn, direction));
	case FATE_ERROR:
		return error_of_flow(skb, pkt, a.conn, a.original, direction);
	case FATE_FRAGMENT:
		return later_fragment(skb, pkt->fragment_off, direction);
	case FATE_SEGMENT:
		break;
	}
	if (direction == ORIGINAL)
		return original_direction(skb, pkt, &a);
	return !a.original && is_hairpin(pkt) ? turn_around(skb) : reply_direction(skb, pkt, &a);
}

/* Ignores VLANs, and frames that a switch flooded and that are for another host. */
static __always_inline bool for_this_host(struct __sk_buff *skb)
{
	return skb->pkt_type != PACKET_OTHERHOST && !skb->vlan_present;
}

SEC("tcx/ingress")
int from_client(struct __sk_buff *skb)
{
	if (!for_this_host(skb))
		return TCX_NEXT;
	pull_headers(skb);
	if (is_resolution(skb))
		return resolve(skb, ADDR_ANSWER_CLIENT, client_mac);
	return skb->protocol == bpf_htons(ETHERTYPE) ? ip(skb, ORIGINAL) : TCX_NEXT;
}

SEC("tcx/ingress")
int from_backend(struct __sk_buff *skb)
{
	if (!for_this_host(skb))
		return TCX_NEXT;
	pull_headers(skb);
	if (is_resolution(skb))
		return resolve(skb, ADDR_ANSWER_BACKEND, backend_mac);
	return skb->protocol == bpf_htons(ETHERTYPE) ? ip(skb, REPLY) : TCX_NEXT;
}

SEC("syscall")
int table_apply(struct batch_args *args)
{
	struct batch_args work = *args;

	bpf_loop(work.count, apply_record, &work, 0);
	args->done = work.done;
	return 0;
}

/* Writes entries in place of damaged or missing ones. */
SEC("syscall")
int table_heal(struct batch_args *args)
{
	struct batch_args work = *args;

	bpf_loop(work.count, heal_record, &work, 0);
	args->done = work.done;
	return 0;
}

SEC("syscall")
int table_remove(struct batch_args *args)
{
	struct batch_args work = *args;

	bpf_loop(work.count, remove_record, &work, 0);
	args->done = work.done;
	return 0;
}

/* Records that user space has sent the first reply of UDP flows. */
SEC("syscall")
int table_assure(struct batch_args *args)
{
	struct batch_args work = *args;

	bpf_loop(work.count, assure_record, &work, 0);
	args->done = work.done;
	return 0;
}

/* Reports which entries are sound. */
SEC("syscall")
int table_check(struct batch_args *args)
{
	struct batch_args work = *args;

	bpf_loop(work.count, check_record, &work, 0);
	args->done = work.done;
	return 0;
}
