package ctsync

import "baton/impl/flow"

// nothing is the change that a peer gets in the place of one that its version cannot
// tell, so that the sequence has no gap: the deletion of a flow that nobody has.
var nothing = change{original: flow.Tuple{Src: flow.IPv4(0, 0, 0, 0), Dst: flow.IPv4(0, 0, 0, 0), Proto: flow.TCP}}

// tells reports that the version of the stream can tell a flow.
func (e *Engine) tells(t *flow.Tuple) bool { return e.version >= versionIPv6 || t.Is4() }

// told is a change as the stream tells it.
func (e *Engine) told(c *change) *change {
	if e.tells(&c.original) {
		return c
	}
	return &nothing
}

// withholds reports that the sink does not get all that the table holds.
func (e *Engine) withholds() bool {
	return e.source && e.stream && e.table.told(e.version) != e.table.all
}
