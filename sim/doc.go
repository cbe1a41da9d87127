// Package sim runs a plan in virtual time: the real node core (impl/node), the
// dataplane's model, and models of everything around them: drifting clocks,
// links with independent directions, ARP caches that latch on the last
// announcement, TCP and UDP endpoints that retransmit and reset as kernels do,
// and processes that crash, freeze and start late. It implements scenarios.World
// and writes the same trace events as the world of namespaces.
//
// The plan and the seed determine a run completely:
// the package reads no clock, starts no goroutine and does no IO, one event heap
// drives it all, and every component draws from a generator of its own, split
// from the seed, so that a change to one leaves the draws of the others alone.
//
// Package campaign runs many worlds, shrink minimises a failing plan, parity
// compares a run with one in namespaces.
package sim
