// Package dpbench measures the dataplane's cost of a packet and compares it with a bare redirect,
// the kernel's plain forwarding and its NAT by nftables, in one run (make bench-dataplane).
// It needs root and the program nft.
package dpbench

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -target bpfel -output-stem bench bench src/bench.c -- -O2 -Wall -Wextra -Wno-unused-parameter -Werror -mcpu=v3 -I/usr/include/x86_64-linux-gnu
