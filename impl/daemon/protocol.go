package daemon

import (
	"fmt"

	"baton/impl/node"
)

// protocolName is what a version of the sync protocol is called in ALPN.
func protocolName(version uint8) string { return fmt.Sprintf("baton-sync/%d", version) }

// protocols lists what a node offers, the newest first: version and all before it that
// are still spoken. 0 is the newest that this node knows.
func protocols(version uint8) []string {
	if version == 0 {
		version = node.Version
	}
	var names []string
	for ; version >= node.VersionMin; version-- {
		names = append(names, protocolName(version))
	}
	return names
}

// versionOf is the version of a name that was agreed on.
func versionOf(protocol string) uint8 {
	for version := uint8(node.VersionMin); version <= node.Version; version++ {
		if protocolName(version) == protocol {
			return version
		}
	}
	return 0
}
