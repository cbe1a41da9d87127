/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Which service a packet belongs to, and which senders are backends of a dnat service: by the
 * port alone, else by the longest prefix of a range of ports. Only what the first search does
 * not find pays for the second, and only where a service has a range.
 */
#pragma once

#include "maps.h"
/* The longest key: all of its bits. */
static __always_inline struct port_key key_of_port(const ip_addr *addr, __be16 port, __u8 proto)
{
	return (struct port_key){ .bits = PORT_KEY_BITS, .addr = *addr, .proto = proto, .port = port };
}

/* Functions of their own, so that their stack is freed on return. */
static __noinline struct service *find_in_ranges(const struct tuple *original)
{
	struct port_key key = key_of_port(&original->dst, original->dport, original->proto);
	struct service_key *found = bpf_map_lookup_elem(&ranges, &key);

	return found ? bpf_map_lookup_elem(&services, found) : NULL;
}

static __noinline bool is_in_dnat_ranges(const struct tuple *reply)
{
	struct port_key key = key_of_port(&reply->src, reply->sport, reply->proto);

	return bpf_map_lookup_elem(&dnat_ranges, &key);
}

static __always_inline struct service *find_service(const struct tuple *original)
{
	struct service_key key = { .vip = original->dst, .port = original->dport, .proto = original->proto };
	struct service *svc = bpf_map_lookup_elem(&services, &key);

	return svc || !ranged ? svc : find_in_ranges(original);
}

static __always_inline bool is_dnat_sender(const struct tuple *reply)
{
	struct backend_key key = { .addr = reply->src, .port = reply->sport, .proto = reply->proto };

	return bpf_map_lookup_elem(&dnat_backends, &key) || (ranged && is_in_dnat_ranges(reply));
}
