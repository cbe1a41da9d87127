// Package deferbench measures what sync.defer costs a connection on this machine, and where
// the time goes: a pair of nodes forwards connections at a rate, and the kernel's timestamps
// on the MASTER's three links divide the wait of each SYN-ACK. Beside it, two processes
// exchange small TLS records over the same cable under the same scheduling and load: no
// deferral over such a stream can be faster.
//
// It measures and prints, in namespaces that it makes itself. make bench-defer-latency
// calls it.
package deferbench
