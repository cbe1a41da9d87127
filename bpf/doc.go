// Package bpf forwards a load-balancer node's packets with eBPF programs on the TCX
// ingress of its client-side and its backend-side link. It implements
// dataplane.Dataplane. Package dataplane/model specifies, packet by packet, what the
// programs do. The node's daemon opens one Dataplane inside the network namespace of
// the links. The same source is compiled into programs for each address family.
//
// Programs and tables end with the process, unless the configuration names a folder for
// them (pin.go). Then the next process adopts the table and replaces the programs one
// by one, without a gap. Between two processes the programs forward until the lease
// expires. After that they drop the packets of every VIP.
package bpf

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -target bpfel -output-stem lb -type batch_args lb src/lb.c -- -O2 -Wall -Wextra -Werror -mcpu=v3 -Isrc/skb -Isrc/ipv4 -Isrc -I/usr/include/x86_64-linux-gnu
//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -target bpfel -output-stem lb6 -no-global-types lb6 src/lb.c -- -O2 -Wall -Wextra -Werror -mcpu=v3 -Isrc/skb -Isrc/ipv6 -Isrc -I/usr/include/x86_64-linux-gnu
//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -target bpfel -output-stem fast -no-global-types fast4 src/fast.c -- -O2 -Wall -Wextra -Werror -mcpu=v3 -Isrc/xdp -Isrc/ipv4 -Isrc -I/usr/include/x86_64-linux-gnu
//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -target bpfel -output-stem fast6 -no-global-types fast6 src/fast.c -- -O2 -Wall -Wextra -Werror -mcpu=v3 -Isrc/xdp -Isrc/ipv6 -Isrc -I/usr/include/x86_64-linux-gnu
