/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Table operations of user space: install replicated entries, remove entries. They run
 * as programs and not as map system calls, so that the same code in the same order keeps
 * both directions of a flow together. It is also faster.
 */
#pragma once

#include "claim.h"
#include "conntrack.h"
#include "sound.h"

/* Removes an entry whose word was expected. The swap to STATE_DEAD has one winner, and
 * fails if the memory belongs to another flow by now. The claim is removed first: while
 * the entry exists, no packet can open the flow again. */
static __always_inline bool remove_conn(const struct tuple *original, struct conn *conn, __u64 expected)
{
	struct tuple reply;

	if (!belongs_to(expected, original) || state_of(expected) == STATE_DEAD || (expected & WORD_REOPENING) ||
	    !swap_word(conn, expected, with_state(expected, STATE_DEAD)))
		return false;
	reply = conn->reply;
	release_reply(&reply, original);
	bpf_map_delete_elem(&conns, original);
	return true;
}

/* Removes an entry in any state. */
static __always_inline bool remove_any(const struct tuple *original)
{
	struct conn *conn;

	for (int i = 0; i < SWAP_ATTEMPTS; i++) {
		conn = bpf_map_lookup_elem(&conns, original);
		if (!conn || remove_conn(original, conn, word_of(conn)))
			return true;
	}
	return false;
}

/* The peer's entry wins a reply tuple: this node's flow with that tuple is older, and is
 * removed. A claim that does not match its owner's entry is damaged; it is released, and
 * the owner's entry stays. */
static __always_inline long take_reply(const struct tuple *reply, const struct tuple *original)
{
	struct tuple *owner, loser;
	long err = claim_reply(reply, original);

	if (err == -EEXIST) {
		owner = bpf_map_lookup_elem(&replies, reply);
		if (owner) {
			loser = *owner;
			if (stands_on(&loser, reply))
				remove_any(&loser);
			else
				release_reply(reply, &loser);
		}
		err = claim_reply(reply, original);
	}
	return err == -EALREADY ? 0 : err;
}

static __always_inline bool install(struct record *r)
{
	struct conn *old = bpf_map_lookup_elem(&conns, &r->original);

	if (old && !same_tuple(&old->reply, &r->conn.reply) && !remove_any(&r->original))
		return false;
	if (take_reply(&r->conn.reply, &r->original))
		return false;
	r->conn.word = owned_by(r->conn.word, &r->original);
	if (bpf_map_update_elem(&conns, &r->original, &r->conn, BPF_ANY)) {
		release_reply(&r->conn.reply, &r->original);
		return false;
	}
	return true;
}

/* Adds an entry if the table has neither tuple. An existing entry is newer, even one
 * that a packet adds concurrently: one of the two updates then fails. */
static __always_inline bool install_missing(struct record *r)
{
	long err = claim_reply(&r->conn.reply, &r->original);

	if (!err) {
		r->conn.word = owned_by(r->conn.word, &r->original);
		err = bpf_map_update_elem(&conns, &r->original, &r->conn, BPF_NOEXIST);
		if (err)
			release_reply(&r->conn.reply, &r->original);
	}
	if (!err || err == -EEXIST || err == -EALREADY)
		return true;
	return bpf_map_lookup_elem(&conns, &r->original); /* no room for a claim, but none is needed */
}

/* Writes an entry that is damaged, or missing although its claim may exist. If another
 * flow has the reply tuple, that flow keeps it. */
static __always_inline bool heal(struct record *r)
{
	struct conn *conn = bpf_map_lookup_elem(&conns, &r->original);
	struct tuple *owner, other;
	long err;

	if (conn && is_sound(&r->original, conn))
		return true;
	owner = conn ? bpf_map_lookup_elem(&replies, &r->conn.reply) : NULL;
	if (owner) {
		other = *owner;
		if (!stands_on(&other, &r->conn.reply))
			release_reply(&r->conn.reply, &other);
	}
	remove_damaged(&r->original);
	err = claim_reply(&r->conn.reply, &r->original);
	if (err && err != -EALREADY)
		return err == -EEXIST;
	r->conn.word = owned_by(r->conn.word, &r->original);
	if (!bpf_map_update_elem(&conns, &r->original, &r->conn, BPF_NOEXIST))
		return true;
	if (!err)
		release_reply(&r->conn.reply, &r->original);
	return bpf_map_lookup_elem(&conns, &r->original);
}

static long heal_record(__u32 i, void *context)
{
	struct batch_args *args = context;
	struct record *r = bpf_map_lookup_elem(&batch, &i);

	if (!r)
		return 1;
	if (heal(r))
		args->done++;
	else
		r->conn.word = STATE_DEAD;
	return 0;
}

static long apply_record(__u32 i, void *context)
{
	struct batch_args *args = context;
	struct record *r = bpf_map_lookup_elem(&batch, &i);

	if (!r)
		return 1;
	if (args->condition == APPLY_MISSING ? install_missing(r) : install(r))
		args->done++;
	else
		r->conn.word = STATE_DEAD;
	return 0;
}

/* Changes the state of a UDP flow as its first reply does, which user space has sent. */
static __always_inline bool assure(const struct tuple *original)
{
	struct conn *conn = find_conn(original);
	__u64 word;

	for (int i = 0; conn && i < SWAP_ATTEMPTS; i++) {
		word = word_of(conn);
		if (!belongs_to(word, original) || state_of(word) != STATE_UNREPLIED)
			return false;
		if (move(conn, original, word, with_state(word, STATE_ASSURED))) {
			mark_seen(conn, now(), true);
			return true;
		}
	}
	return false;
}

static long assure_record(__u32 i, void *context)
{
	struct batch_args *args = context;
	struct record *r = bpf_map_lookup_elem(&batch, &i);

	if (!r)
		return 1;
	if (assure(&r->original))
		args->done++;
	return 0;
}

static __always_inline bool remove_as_asked(const struct record *r, __u32 condition)
{
	struct conn *conn;

	if (condition == NO_CONDITION)
		return remove_any(&r->original);
	if (condition == REMOVE_DAMAGED)
		return remove_damaged(&r->original);
	conn = bpf_map_lookup_elem(&conns, &r->original);
	return conn && conn->last_seen == r->conn.last_seen && remove_conn(&r->original, conn, r->conn.word);
}

static long remove_record(__u32 i, void *context)
{
	struct batch_args *args = context;
	struct record *r = bpf_map_lookup_elem(&batch, &i);

	if (!r)
		return 1;
	if (remove_as_asked(r, args->condition))
		args->done++;
	else
		r->conn.word = STATE_DEAD;
	return 0;
}
