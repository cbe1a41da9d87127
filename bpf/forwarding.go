package bpf

import "os"

// loopbackForwarding is the setting that lets the kernel tell the programs a packet's
// neighbour (bpf_fib_lookup): they ask as for a packet of the loopback link. It lets
// nothing else through, since what that link receives is always the host's own.
const loopbackForwarding = "/proc/sys/net/ipv4/conf/lo/forwarding"

// forwardFromLoopback makes the setting in the calling thread's network namespace,
// where it stays. Where it cannot, as in a container without the right to, each
// packet goes by the kernel's neighbour table, which costs more and is as good.
func forwardFromLoopback() {
	_ = os.WriteFile(loopbackForwarding, []byte("1"), 0)
}
