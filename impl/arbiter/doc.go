// Package arbiter decides which of two nodes that have lost each other may act alone.
//
// The nodes share one record in a store that a third party keeps: a linearizable register
// with compare-and-swap, such as a key of etcd. While the nodes hear each other the record
// is empty and nobody needs the store. A node that hears its peer no longer writes its own
// name there before it acts on the silence, and the first to do so is the only one.
//
// # The right
//
// Whoever is named holds a right for Validity after the sending of the last question that
// the store has answered in its favour. It asks four times per Validity. A right is counted
// from when the question was sent, so a slow answer shortens it, and a node that was paused
// wakes without one.
//
// # The challenge
//
// The named node may have died. Its peer then adds its own name as challenger, and the
// named node, if it lives and reaches the store, sees that with its next question, whose
// answer renews nothing: only by removing the challenge does it keep the right. Every right
// has run out once a challenge has stood for Validity, and the challenger takes the name
// over. So a dead node is replaced Validity after the challenge, and one that lives keeps
// the right for as long as it reaches the store.
//
// Clocks are assumed to differ in rate by less than a tenth over one Validity. The package
// is pure: time and answers come in, questions go out.
package arbiter
