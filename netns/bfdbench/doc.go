// Package bfdbench measures the punctuality of BFD on this machine: a pair of nodes with
// their dataplane, and two FRR bfdd on a cable of their own, at the same interval and
// multiplier and at the same time; first idle, then with every core busy and the nodes'
// dataplane saturated. It compares the intervals on the wire, by the kernel's receive
// timestamps at the far end, and how often the sessions went down.
//
// It measures and prints for a given time, in namespaces that it makes itself; make
// bench-bfd calls it.
package bfdbench
