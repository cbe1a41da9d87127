package node

import (
	"slices"

	"baton/impl/catalog"
)

// comparison holds the service catalogs of both nodes and their differences. It decides
// nothing: connection sync continues for the services that both nodes know.
type comparison struct {
	mine, theirs catalog.Catalog
	known        bool // mine is set
	heard        bool // theirs was received on the current stream
	differences  []catalog.Difference
	told         string // the differences traced last
	toldOn       uint64 // the stream on which mine was sent, 0 for none
}

// streamLost forgets the peer's catalog: the next stream may lead to another process.
func (c *comparison) streamLost() { c.theirs, c.heard, c.differences = nil, false, nil }

// compare finds the differences.
func (c *comparison) compare() {
	if c.known && c.heard {
		c.differences = c.mine.Compare(c.theirs)
	}
}

// ServicesDiffer reports whether the peer may have other services than this node.
func (n *Node) ServicesDiffer() bool { return !n.comparison.heard || len(n.comparison.differences) > 0 }

// receiveServices takes the digests of this node's services.
func (n *Node) receiveServices(in Services) {
	if err := in.Catalog.Validate(); err != nil {
		n.traceNote("services not compared with the peer's: " + err.Error())
		return
	}
	n.comparison.mine, n.comparison.known, n.comparison.toldOn = slices.Clone(in.Catalog), true, 0
	n.compareServices()
}

// tellServices sends this node's catalog, once on each stream and after each change.
func (n *Node) tellServices() {
	if n.comparison.known && n.comparison.toldOn != n.stream.id && n.peerListens() {
		n.comparison.toldOn = n.stream.id
		n.emit(SendSync{Data: n.comparison.mine.Append([]byte{typeServices, n.stream.version})})
	}
}

// peerListens reports whether the peer has sent a state on the stream and its protocol
// version has services and decisions.
func (n *Node) peerListens() bool {
	return n.stream.up && n.stream.spoken && n.stream.version >= versionServices
}

// receiveCatalog takes the peer's catalog.
func (n *Node) receiveCatalog(data []byte) error {
	theirs, err := catalog.Decode(data[headerLen:])
	if err != nil {
		return err
	}
	n.comparison.theirs, n.comparison.heard = theirs, true
	n.compareServices()
	return nil
}

// compareServices compares the catalogs again and traces changed differences.
func (n *Node) compareServices() {
	c := &n.comparison
	c.compare()
	words := catalog.Words(c.differences)
	if !c.known || !c.heard || words == c.told {
		return
	}
	if c.told = words; words == "" {
		n.traceNote("the services of peer " + n.cfg.Peer + " are configured as here again")
		return
	}
	n.traceNote("peer " + n.cfg.Peer + " has a different configuration: " + words)
}
