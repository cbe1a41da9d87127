/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * SNAT ports in turn: each port rests for as long as possible before its next flow, because the
 * backend may still have the connection of the last one (RFC 6056 3.3.4).
 */
#pragma once

#include "hash.h"
#include "maps.h"

#define TURNS 1024
#define TURN_SKIPS 16 /* skips that lead once through the ports of an address */

/* The position in the SNAT ports at which the next flow tries, by the hash of its backend's address
 * and port. User space fills in where each begins. Not a map, whose key would need stack. */
__u64 port_turns[TURNS];

/* Returns the turn of the backend of reply. */
static __always_inline __u64 *turn_of(struct tuple *reply)
{
	__builtin_memset(&reply->dst, 0, sizeof(reply->dst)); /* what is hashed is the backend's */
	reply->dport = 0;
	return &port_turns[hash_tuple(reply) & (TURNS - 1)];
}

/* Leaves out the next ports of the backend of reply, which still has a connection from the port of
 * reply. If no node knows that connection, both have lost their tables, and the backend has more of
 * them from the next ports. */
static __noinline int skip_turn(const struct tuple *reply)
{
	struct tuple backend = *reply;

	__sync_fetch_and_add(turn_of(&backend), snat_count / TURN_SKIPS);
	return 0;
}
