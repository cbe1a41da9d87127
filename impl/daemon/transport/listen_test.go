package transport

import (
	"errors"
	"net"
	"testing"
	"time"
)

// The port does not answer on other links: it neither accepts nor refuses a connection.
func TestThePortIsNotThereForOtherLinks(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		notFrom []int
		answers bool
	}{
		{"from this link", []int{lo.Index + 1000, lo.Index}, false},
		{"from another", []int{lo.Index + 1000}, true},
		{"from none", nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := listen(Config{Peer: "lb1", Local: freePort(t, "127.0.0.1"), NotFrom: tt.notFrom})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			limit := patience
			if !tt.answers {
				limit = 200 * time.Millisecond
			}
			conn, err := net.DialTimeout("tcp4", l.Addr().String(), limit)
			switch {
			case tt.answers && err != nil:
				t.Fatal(err)
			case tt.answers:
				conn.Close()
			case !timedOut(err):
				t.Errorf("dial: %v, want no answer", err)
			}
		})
	}
}

// timedOut reports whether nobody answered in time.
func timedOut(err error) bool {
	var failed net.Error
	return errors.As(err, &failed) && failed.Timeout()
}
