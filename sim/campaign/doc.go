// Package campaign runs many simulated worlds, each drawn from its seed: topology, timers, load,
// which faults occur and how often, and the chaos. In the fault phase of a run the safety claims
// must hold; then the faults are healed and the pair must recover.
//
// A seed always gives the same run: sharding and the number of workers change only the wall time.
// Worlds are independent and run in parallel, each in one goroutine. The command line calls it.
package campaign
