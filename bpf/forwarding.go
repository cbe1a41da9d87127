package bpf

import "os"

// loopbackForwarding are the settings that bpf_fib_lookup requires to return a packet's
// neighbour: the programs look it up as for a packet from the loopback link. The settings
// allow no other forwarding, because that link receives only the host's own packets.
var loopbackForwarding = []string{"/proc/sys/net/ipv4/conf/lo/forwarding", "/proc/sys/net/ipv6/conf/lo/forwarding"}

// forwardFromLoopback applies the settings in the calling thread's network namespace, where
// they stay. Without permission, as in some containers, each packet uses the kernel's
// neighbour table. That is slower but equally correct.
func forwardFromLoopback() {
	for _, setting := range loopbackForwarding {
		_ = os.WriteFile(setting, []byte("1"), 0)
	}
}
