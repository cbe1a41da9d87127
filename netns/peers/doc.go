// Package peers runs independent BFD implementations, FRR's bfdd and BIRD, as processes in
// a host's namespace. It starts them in a folder of their own, reads their sessions through
// their command-line clients, changes their configuration while they run, and ends them. It
// judges nothing and does not depend on this project's BFD. Interoperability tests and
// benchmarks call it.
package peers
