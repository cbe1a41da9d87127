// Package bfd is Bidirectional Forwarding Detection as RFC 5880 defines it: the
// codec of the control packet and the Session, which holds one session's state
// variables and follows the elements of procedure.
//
// A Session is sans-IO. It reads no clock, opens no socket, starts no goroutine
// and uses no randomness except its own seeded generator. Its owner passes in
// the inputs (Receive, Advance at the instant of Deadline, the Set methods) and
// after each of those calls takes the effects from Ready: packets to transmit, in
// order, and state changes to act upon. So the same code runs on a real socket and
// in a simulator's virtual time.
//
// Unaffiliated is a session with a neighbour without BFD (RFC 9747); it is driven
// in the same way. Table finds the session of a received packet.
//
// A Session never looks at addresses or ports: its owner demultiplexes packets to
// it (RFC 5881 section 3, RFC 5883 section 4). It never carries application data
// either (RFC 5882 section 2): it only says whether the path works.
//
// Names follow RFC 5880: LocalDiscr is bfd.LocalDiscr, and so on.
package bfd
