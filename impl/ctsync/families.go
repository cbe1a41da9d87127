package ctsync

import (
	"strings"

	"baton/impl/flow"
)

// nothing is sent instead of a change that the peer's version cannot carry, so that the
// sequence has no gap. It deletes a flow that cannot exist.
var nothing = change{original: flow.Tuple{Src: flow.IPv4(0, 0, 0, 0), Dst: flow.IPv4(0, 0, 0, 0), Proto: flow.TCP}}

// isAcross reports whether the backend of a flow is of the other family.
func isAcross(original, reply *flow.Tuple) bool { return reply.Src.Is4() != original.Is4() }

func (c *change) isAcross() bool { return !c.deleted() && isAcross(&c.original, &c.reply) }

// carriedSince returns the first version that can carry a flow.
func carriedSince(original, reply *flow.Tuple) byte {
	if isAcross(original, reply) {
		return versionAcross
	}
	return knownSince(original)
}

// knownSince returns the first version that can carry a flow with an original tuple.
func knownSince(original *flow.Tuple) byte {
	switch {
	case original.Proto == flow.SCTP:
		return versionSCTP
	case !original.Is4():
		return versionIPv6
	}
	return VersionMin
}

// tells reports whether the stream's version can carry the flow in a slot.
func (e *Engine) tells(s *slot) bool { return e.version >= carriedSince(&s.original, &s.reply) }

// told returns a change as the stream's version carries it. A flow that now goes across families is
// deleted at a peer that may have known it before.
func (e *Engine) told(c *change) *change {
	switch {
	case e.version < knownSince(&c.original):
		return &nothing
	case c.isAcross() && e.version < versionAcross:
		return &change{original: c.original}
	}
	return c
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
	if e.version < versionAcross && e.table.across.entries > 0 {
		names = append(names, "cross-family")
	}
	return strings.Join(names, " and ")
}
