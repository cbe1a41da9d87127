package daemon

import (
	"fmt"

	"baton/impl/node"
)

// protocolName is the ALPN name of a version of the sync protocol.
func protocolName(version uint8) string { return fmt.Sprintf("baton-sync/%d", version) }

// protocols lists the offered protocols, newest first: version and all supported older
// ones. 0 is the newest that this node knows.
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

// versionOf returns the version of an agreed protocol name.
func versionOf(protocol string) uint8 {
	for version := uint8(node.VersionMin); version <= node.Version; version++ {
		if protocolName(version) == protocol {
			return version
		}
	}
	return 0
}
