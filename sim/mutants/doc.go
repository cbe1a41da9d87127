// Package mutants tests the tests: each .txtar file plants one realistic bug in
// production code, and the suite must see it. A mutant is applied to a copy of the
// named files in a build with an overlay, so that production code holds none of
// it, and one whose place in the code is not found exactly once is an error: it
// would test nothing. Changed C of the eBPF programs is compiled as go generate does it,
// and the object overlaid; where there is no clang such a mutant is not run.
//
// A mutant names the suite that must kill it. The suite of the simulator is the
// scenarios of scenarios/ and of sim/mutants/scenarios under a few seeds, and a
// bounded campaign of drawn worlds; what lies below a simulator's sight (codecs,
// authentication, sockets) is for the tests of one package, or some of them. A run ends at the
// first check that fails. Without a mutant every check that has killed one must pass.
//
// All mutants that change nothing but bodies of functions and values of variables are built together,
// behind a switch, once for all suites. hints.txt says what killed each the last time, which is run
// first. Tests that judge times run one after the other, and again if the host stood still while they
// failed; the others run beside them. A suite that does not end is an error, never a kill.
//
// The command in cmd/mutants runs it all; it is also the binary that is built with
// a mutant in it to run the simulator's suite.
package mutants
