package node

import (
	"testing"

	"baton/impl/ha"
)

// TestWhoMayReceiveATable: a node that does not serve, and whose live peer has a better table and cannot serve with it.
func TestWhoMayReceiveATable(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*view)
		want bool
	}{
		{"a BACKUP", func(*view) {}, true},
		{"a MASTER", func(v *view) { v.role = ha.Master }, false},
		{"the peer could serve", func(v *view) { v.peer.Rank.Able = true }, false},
		{"the peer has nothing better", func(v *view) { v.lacks = false }, false},
		{"the peer does not speak", func(v *view) { v.live = false }, false},
	} {
		v := view{role: ha.Backup, live: true, lacks: true}
		if c.edit(&v); mayReceive(&v) != c.want {
			t.Errorf("%s: may receive %v, want %v", c.name, !c.want, c.want)
		}
	}
}
