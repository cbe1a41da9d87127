package checker

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/daemon/config"
	"baton/impl/daemon/internal/netlab"
)

// TestARefusingPortIsNotUpBecauseItsHostSendsFewRefusals: the kernel of another host sends about one port
// unreachable a second, and two closed ports are probed many times a second.
func TestARefusingPortIsNotUpBecauseItsHostSendsFewRefusals(t *testing.T) {
	inSpace(t, func(c *Checker) {
		host := netlab.Space(t)
		if err := errors.Join(netlab.Cable("link0", "link0", host), netlab.Up("link0", "198.18.1.1/24", "2001:2::1/64")); err != nil {
			t.Fatal(err)
		}
		netlab.In(t, host, func() error { return netlab.Up("link0", "198.18.1.11/24", "2001:2::11/64") })
		s := service(config.UDP, config.Check{Type: config.CheckPort})
		for _, at := range []string{"198.18.1.11", "2001:2::11"} {
			closed, refused := [2]netip.AddrPort{}, [2]int{}
			for i := range closed {
				closed[i] = netip.AddrPortFrom(netip.MustParseAddr(at), uint16(7+i))
				want(t, c, s, closed[i], "refused")
			}
			for i := range 60 {
				switch err := c.Probe(t.Context(), s, closed[i%2]); {
				case errors.Is(err, unix.ECONNREFUSED):
					refused[i%2]++
				case !errors.Is(err, ErrUndecided):
					t.Fatalf("probe %d of %v: %v", i, closed[i%2], err)
				}
				time.Sleep(5 * time.Millisecond)
			}
			t.Logf("%s refused %v of 60 probes", at, refused)
		}
	})
}

// TestSilenceAfterARefusal says nothing for some seconds, and for longer if more ports of the host refuse.
func TestSilenceAfterARefusal(t *testing.T) {
	a, b, other := netip.MustParseAddrPort("198.18.1.11:53"), netip.MustParseAddrPort("198.18.1.11:54"), netip.MustParseAddrPort("198.18.1.12:53")
	begin := time.Unix(1000, 0)
	var r refusals
	for _, tt := range []struct {
		at    netip.AddrPort
		after time.Duration
		err   error
		want  error
	}{
		{a, 0, nil, nil},
		{a, 0, unix.ECONNREFUSED, unix.ECONNREFUSED},
		{a, refusalHolds - 1, nil, ErrUndecided},
		{b, refusalHolds - 1, nil, nil},
		{a, refusalHolds, nil, nil},
		{other, refusalHolds, unix.ECONNREFUSED, unix.ECONNREFUSED},
		{a, refusalHolds, nil, nil},
		{b, refusalHolds, unix.ECONNREFUSED, unix.ECONNREFUSED},
		{a, 2*refusalHolds - 1, nil, ErrUndecided},
		{a, 2*refusalHolds - 1, unix.EHOSTUNREACH, unix.EHOSTUNREACH},
		{b, 2 * refusalHolds, nil, ErrUndecided},
		{b, refusalHolds + refusalsForget, nil, nil},
	} {
		if got := r.judge(tt.at, tt.err, begin.Add(tt.after)); got != tt.want {
			t.Errorf("%v after %v, %v: %v, want %v", tt.at, tt.after, tt.err, got, tt.want)
		}
	}
	if len(r.last) != 0 {
		t.Errorf("%v are still known", r.last)
	}
}
