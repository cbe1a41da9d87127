/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What the dataplane is measured with: a source of frames, and the two ends that do
 * as little as can be done.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#define TCX_DROP 2

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
	__u8 data[10];
} __attribute__((packed));

/* A frame from port 0; its checksums lack the port and the address's low half. */
volatile __u8 pattern[sizeof(struct frame)];
volatile __u32 flows; /* how many the frames are spread over */
volatile bool replies; /* the port is that of the receiver */
volatile bool by_wire; /* frames leave by the other end of the link, and arrive in its driver */
const volatile __u32 redirect_to;
__u64 next_flow;
__u64 arrived; /* one CPU runs all of it */
volatile __u32 sender; /* the thread whose time is taken: what another has finished does not count */

static __always_inline void count(void)
{
	if ((__u32)bpf_get_current_pid_tgid() == sender)
		arrived++;
}

static __always_inline __u16 folded(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return sum + (sum >> 16);
}

/* Run on live frames: each enters the stack as if it had come in by the link or, by wire, is
 * sent from the link that the program is run for. */
SEC("xdp")
int generate(struct xdp_md *ctx)
{
	struct frame *f = (void *)(long)ctx->data;
	__u64 n = next_flow++ % flows;
	__u16 port = bpf_htons(1024 + n % 50000), low = bpf_htons(n / 50000 + 1);

	if ((void *)(f + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	__builtin_memcpy(f, (const void *)pattern, sizeof(*f));
	if (replies) {
		f->tcp.dest = port;
		low = 0;
	} else {
		f->tcp.source = port;
		f->ip.saddr |= (__u32)low << 16;
	}
	f->ip.check = ~folded((__u32)f->ip.check + low);
	f->tcp.check = ~folded((__u32)f->tcp.check + port + low);
	return by_wire ? XDP_TX : XDP_PASS;
}

SEC("xdp")
int discard_frame(struct xdp_md *ctx)
{
	count();
	return XDP_DROP;
}

SEC("xdp")
int redirect_frame(struct xdp_md *ctx)
{
	return bpf_redirect(redirect_to, 0);
}

SEC("tcx/ingress")
int discard(struct __sk_buff *skb)
{
	count();
	return TCX_DROP;
}

SEC("tcx/ingress")
int bare_redirect(struct __sk_buff *skb)
{
	return bpf_redirect(redirect_to, 0);
}
