package fault

import "baton/scenarios/lab"

// Run executes a program in a machine, for a bounded time.
const Run = "run"

var run = Verb{
	Word: Run, On: Programs, Kinds: []lab.Kind{lab.Node, lab.Client, lab.Backend},
	Doc:     "execute a program of this machine in HOST's network. It and all processes that it started are killed after DURATION, or at the end of the run",
	Receipt: "the process has started",
	Bounded: true,
}
