package daemon

import (
	"slices"
	"testing"

	"baton/impl/node"
)

func TestProtocolsOfAVersion(t *testing.T) {
	if got := protocols(0); len(got) != node.Version-node.VersionMin+1 || got[0] != protocolName(node.Version) {
		t.Errorf("offers %v", got)
	}
	if got := protocols(1); !slices.Equal(got, []string{"baton-sync/1"}) {
		t.Errorf("a node held to version 1 offers %v", got)
	}
	for v := uint8(node.VersionMin); v <= node.Version; v++ {
		if got := versionOf(protocolName(v)); got != v {
			t.Errorf("version %d is called %s, which is version %d", v, protocolName(v), got)
		}
	}
}
