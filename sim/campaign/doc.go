// Package campaign runs many simulated worlds, each drawn from its seed: topology,
// timers, load, which faults are on at all and how often, what else goes wrong.
// Each run has a phase of faults, in which the safety claims of its plan must
// hold, and then one in which everything is healed and the pair must recover.
//
// A seed is drawn and run the same way everywhere: sharding and the number of
// workers change nothing but the time that it takes. Worlds are independent and
// run in parallel; a world itself is one goroutine. The command line calls it.
package campaign
