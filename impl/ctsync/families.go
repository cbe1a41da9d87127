package ctsync

import (
	"strings"

	"baton/impl/flow"
)

// nothing is the change sent instead of one that the peer's version cannot carry, so that
// the sequence has no gap. It deletes a flow that cannot exist.
var nothing = change{original: flow.Tuple{Src: flow.IPv4(0, 0, 0, 0), Dst: flow.IPv4(0, 0, 0, 0), Proto: flow.TCP}}

// carriedSince returns the first version that can carry a flow.
func carriedSince(t *flow.Tuple) byte {
	switch {
	case t.Proto == flow.SCTP:
		return versionSCTP
	case !t.Is4():
		return versionIPv6
	}
	return VersionMin
}

// tells reports whether the stream's version can carry a flow.
func (e *Engine) tells(t *flow.Tuple) bool { return e.version >= carriedSince(t) }

// told is a change as the stream's version carries it.
func (e *Engine) told(c *change) *change {
	if e.tells(&c.original) {
		return c
	}
	return &nothing
}

// withholds reports whether the table holds flows that the sink does not get.
func (e *Engine) withholds() bool {
	return e.source && e.stream && e.table.told(e.version) != e.table.all
}

// withheld names the flows that the table holds and the sink does not get.
func (e *Engine) withheld() string {
	var names []string
	if e.version < versionIPv6 && e.table.ipv6.entries > 0 {
		names = append(names, "IPv6")
	}
	if e.version < versionSCTP && e.table.sctp.entries > 0 {
		names = append(names, "SCTP")
	}
	return strings.Join(names, " and ")
}
