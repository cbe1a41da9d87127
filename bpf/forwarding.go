package bpf

import "os"

// loopbackForwarding are the settings that bpf_fib_lookup needs to return a packet's
// neighbour: the programs look it up as for a packet from the loopback link. They let
// nothing else through, since what that link receives is always the host's own.
var loopbackForwarding = []string{"/proc/sys/net/ipv4/conf/lo/forwarding", "/proc/sys/net/ipv6/conf/lo/forwarding"}

// forwardFromLoopback applies the settings in the calling thread's network namespace, where
// they stay. If it cannot, as in a container without the right to, each
// packet goes by the kernel's neighbour table, which costs more and is as good.
func forwardFromLoopback() {
	for _, setting := range loopbackForwarding {
		_ = os.WriteFile(setting, []byte("1"), 0)
	}
}
