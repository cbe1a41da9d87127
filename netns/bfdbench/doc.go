// Package bfdbench measures how punctual BFD is on this machine: a pair of nodes
// with their dataplane, and beside it two FRR bfdd on a cable of their own, both at
// the same interval and multiplier and at the same time, first left alone and then
// with every core kept busy by ordinary processes and as many packets through the
// nodes' dataplane as it will carry. What is compared is what the wire shows, by the
// kernel's receive stamps at the far end, and how often the sessions went down.
//
// It measures and prints; make bench-bfd calls it. Everything runs in namespaces that
// it makes itself, for a time that is given.
package bfdbench
