// Package mutants tests the tests. Each .txtar file plants one realistic bug, a mutant, in
// production code, and the suite must find it. The build uses changed copies of the named
// files through an overlay, so production code contains no mutants. A mutant whose old text
// is not found exactly once is an error, because it would test nothing. Changed C code of the
// eBPF programs is compiled as go generate does it, and the object is overlaid; a machine
// without clang does not run such a mutant.
//
// A mutant names the suite that must kill it. The simulator's suite consists of the scenarios
// of scenarios/ and of sim/mutants/scenarios under a few seeds, and of a short campaign of
// drawn worlds. Bugs that a simulator cannot show (in codecs, authentication, sockets) are for
// the tests of one package, or some of them. A run ends at the first check that fails. Every
// check that has killed a mutant must also pass without one.
//
// All mutants that change only bodies of functions and values of variables are built together,
// behind a switch, once for all suites. hints.txt names the check that killed each mutant the
// last time, which runs first. Tests that judge times run one after the other, and again if the
// host stalled while they failed. The others run beside them. A suite that does not end is an
// error, never a kill.
//
// The command in cmd/mutants runs everything. It is also built with a mutant in it, as the binary
// that runs the simulator's suite.
package mutants
