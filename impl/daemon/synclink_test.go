package daemon

import (
	"net"
	"net/netip"
	"slices"
	"testing"
)

// The sync port stays open on the link that has its address, even if clients are there too.
func TestTheSyncPortIsForItsLinkOnly(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	own, other := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("198.18.2.1")
	if got, err := linksWithout(own, "lo"); err != nil || len(got) != 0 {
		t.Errorf("links without %s: %v, want none", own, got)
	}
	if got, err := linksWithout(other, "lo"); err != nil || !slices.Equal(got, []int{lo.Index}) {
		t.Errorf("links without %s: %v, want %d", other, got, lo.Index)
	}
	if got, err := linksWithout(other, "no-such-link"); err == nil {
		t.Errorf("a link that does not exist: %v, want an error: the port would be open on it", got)
	}
}
