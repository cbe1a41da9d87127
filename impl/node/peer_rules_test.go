package node

import (
	"testing"

	"baton/impl/ha"
)

// TestAGrantEndsWithTheAnswerOrWithTheProcess: a state that the peer sent before the grant reached it counts as that of a
// node that is taking the role. A restarted peer has no grant that it could act on.
func TestAGrantEndsWithTheAnswerOrWithTheProcess(t *testing.T) {
	for _, c := range []struct {
		what string
		said state
		want ha.Role
		open bool
	}{
		{"sent before the grant", state{Incarnation: 1, Role: ha.Backup, Seen: 4}, ha.Claiming, true},
		{"the peer has claimed already", state{Incarnation: 1, Role: ha.Master, Seen: 4}, ha.Master, true},
		{"an answer to the state after the grant", state{Incarnation: 1, Role: ha.Backup, Seen: 5}, ha.Backup, false},
		{"of the next process", state{Incarnation: 2, Role: ha.Backup}, ha.Backup, false},
	} {
		p := peer{known: true, state: state{Incarnation: 1, Role: ha.Backup}}
		p.grant(5)
		p.hear(c.said)
		if p.state.Role != c.want || (p.granted != 0) != c.open {
			t.Errorf("%s: the peer counts as %v, waits for an answer: %v; want %v, %v", c.what, p.state.Role, p.granted != 0, c.want, c.open)
		}
	}
}
