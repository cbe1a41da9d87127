package ping

import (
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"

	"baton/impl/daemon/internal/netlab"
)

// A host of either family replies to a request, with its number.
func TestHostsReply(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: network namespaces and an ICMP socket")
	}
	netlab.In(t, netlab.Space(t), func() error {
		if err := netlab.Up("lo"); err != nil {
			return err
		}
		for _, host := range []string{"127.0.0.1", "::1"} {
			host := netip.MustParseAddr(host)
			c, err := Listen(Unspecified(host))
			if err != nil {
				return err
			}
			defer c.Close()
			c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if err := c.Request(host, 7); err != nil {
				t.Error(err)
			}
			for {
				from, seq, ok, err := c.Reply()
				if err != nil {
					t.Errorf("%v: %v", host, err)
				}
				if err != nil || ok {
					if from != host || seq != 7 {
						t.Errorf("reply %d from %v, want 7 from %v", seq, from, host)
					}
					break
				} // on the loopback the socket hears the request too
			}
		}
		return nil
	})
}

func TestOtherPacketsDoNotCountAsReplies(t *testing.T) {
	c := &Conn{family: families[true], id: 77}
	for _, tt := range []struct {
		what string
		kind icmp.Type
		id   int
		want bool
	}{
		{"a request", ipv4.ICMPTypeEcho, 77, false},
		{"to another process", ipv4.ICMPTypeEchoReply, 76, false},
		{"its own", ipv4.ICMPTypeEchoReply, 77, true},
	} {
		packet, err := (&icmp.Message{Type: tt.kind, Body: &icmp.Echo{ID: tt.id, Seq: 9}}).Marshal(nil)
		if err != nil {
			t.Fatal(err)
		}
		if seq, ok := c.answers(packet); ok != tt.want || ok && seq != 9 {
			t.Errorf("%s: %d, %v, want %v", tt.what, seq, ok, tt.want)
		}
	}
	if _, ok := c.answers([]byte{0, 0}); ok {
		t.Error("a truncated packet is a reply")
	}
}
