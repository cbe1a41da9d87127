// Package peers runs BFD implementations that nobody here wrote, FRR's bfdd and
// BIRD, as processes in a host's namespace: it starts them in a folder of their own,
// asks them for their sessions through their own command-line clients, changes their
// configuration while they run, and ends them. It judges nothing and knows nothing
// of this project's BFD. Tests of interoperation and benchmarks call it.
package peers
