// Package arbiter decides which of two nodes may act alone when they do not hear each other.
//
// The nodes share one record in a store that a third party keeps: a linearizable register
// with compare-and-swap, such as a key of etcd. While the nodes hear each other, the record
// is empty and nobody needs the store. A node that no longer hears its peer writes its own
// name there before it acts on the silence. Only the first to do so succeeds.
//
// # The right
//
// The named node holds the right for Validity after it sent the last question that the store
// answered in its favour. It asks four times per Validity. The right counts from when the
// question was sent, so a slow answer shortens it, and a paused node wakes without one.
//
// A node that needs no right reads the record once per Validity, so that it is known, and can
// be told, whether the store answers (Machine.Unanswered).
//
// # The challenge
//
// The named node may have died. Its peer then adds its own name as challenger. A named node
// that lives and reaches the store reads the challenge with its next question. That read does
// not renew the right; removing the challenge does. Once a challenge has stood for Validity,
// every right has run out, and the challenger replaces the name. So a dead node is replaced
// Validity after the challenge, and a live one keeps the right while it reaches the store.
//
// A record that is missing may have been deleted while it named a node. A node that finds none
// writes a challenge to nobody, {"challenger": its name}. A node that holds the right writes its
// name again. A peer that finds the challenge knows that the challenger holds no right, and takes
// it at once if it wants it. Otherwise the challenger may, after Validity. A node that does not
// need the right does the same, and empties the record then: so a new pair does not wait when
// it first needs the right.
//
// Clocks are assumed to differ in rate by less than a tenth over one Validity. The package
// is pure: time and answers come in, questions go out.
package arbiter
