package main

import (
	"slices"
	"strings"
	"testing"

	"baton/docs/operations"
	"baton/impl/daemon/preflight"
)

// The unit grants the capabilities that doctor asks for, and no other.
func TestTheUnitGrantsWhatANodeNeeds(t *testing.T) {
	_, granted, _ := strings.Cut(operations.Unit("/usr/bin/baton", "/etc/baton/node.yaml"), "CapabilityBoundingSet=")
	granted, _, _ = strings.Cut(granted, "\n")
	var needed []string
	for _, n := range preflight.Needed {
		needed = append(needed, "CAP_"+n.Name)
	}
	if got := strings.Fields(granted); !slices.Equal(got, needed) {
		t.Errorf("the unit grants %v, a node needs %v", got, needed)
	}
}
