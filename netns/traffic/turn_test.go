package traffic

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPortsComeInTurn(t *testing.T) {
	turn := newTurn(65000, 0)
	seen := map[uint16]int{}
	for range 2 * 536 {
		port := turn.port()
		if port < 65000 {
			t.Fatalf("port %d is below the first", port)
		}
		seen[port]++
	}
	for port, times := range seen {
		if times != 2 || len(seen) != 536 {
			t.Fatalf("%d ports were given out, port %d %d times; want each of 536 twice", len(seen), port, times)
		}
	}
	if a, b := newTurn(1024, 1), newTurn(1024, 2); a.next == b.next {
		t.Errorf("two lines begin with port %d", a.next)
	}
}

func TestAPortInUseIsPassedOver(t *testing.T) {
	turn := newTurn(65000, 0)
	refused := errors.New("refused")
	for _, test := range []struct {
		answers []error
		want    error
		tried   int
	}{
		{[]error{nil}, nil, 1},
		{[]error{unix.EADDRNOTAVAIL, unix.EADDRINUSE, nil}, nil, 3},
		{[]error{refused}, refused, 1},
	} {
		tried := 0
		_, err := turn.dial(func(uint16) (int, error) { tried++; return 0, test.answers[tried-1] })
		if err != test.want || tried != test.tried {
			t.Errorf("after %v: %v, and %d ports tried; want %v and %d", test.answers, err, tried, test.want, test.tried)
		}
	}
	if _, err := turn.dial(func(uint16) (int, error) { return -1, unix.EADDRNOTAVAIL }); err != unix.EADDRNOTAVAIL {
		t.Errorf("with no port free: %v", err)
	}
}
