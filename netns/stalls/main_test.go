package main

import (
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestTheHostStandsStill: while the command runs, a thread on each processor sees pauses as long as the
// stalls.
func TestTheHostStandsStill(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: it takes the processors above all other threads")
	}
	p := plan{shortest: 60 * time.Millisecond, longest: 60 * time.Millisecond, apart: 150 * time.Millisecond, atMost: 150 * time.Millisecond, processors: 1}
	began, stop, saw := make(chan struct{}), make(chan struct{}), make(chan time.Duration)
	go func() {
		runtime.LockOSThread()                                            // never unlocked: the thread ends with its processor
		if err := unix.SchedSetaffinity(0, &unix.CPUSet{1}); err != nil { // the processor that is taken
			t.Error(err)
		}
		stood := time.Duration(0)
		last := time.Now()
		close(began)
		for {
			now := time.Now()
			if pause := now.Sub(last); pause >= p.shortest*9/10 {
				stood += pause
			}
			last = now
			select {
			case <-stop:
				saw <- stood
				return
			default:
			}
		}
	}()
	<-began
	if code := run(p, []string{"sleep", "1"}); code != 0 {
		t.Errorf("exit code %d of a command that ended well", code)
	}
	close(stop)
	if stood := <-saw; stood < 2*p.shortest*9/10 {
		t.Errorf("stood still for %v in a second with four stalls of 60 ms", stood)
	}
}

// TestTheCommandsExitCodeIsPassedOn: so a test that fails under stalls fails.
func TestTheCommandsExitCodeIsPassedOn(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: it takes the processors above all other threads")
	}
	p := plan{shortest: time.Millisecond, longest: time.Millisecond, apart: time.Hour, atMost: time.Hour, processors: 1}
	for _, c := range []struct {
		command []string
		want    int
	}{
		{[]string{"sh", "-c", "exit 7"}, 7},
		{[]string{"sh", "-c", "kill -9 $$"}, 1},
		{[]string{"/no/such/program"}, 1},
	} {
		if code := run(p, c.command); code != c.want {
			t.Errorf("%q: exit code %d, want %d", c.command, code, c.want)
		}
	}
}

func TestPlansThatAreWrong(t *testing.T) {
	good := plan{shortest: 1, longest: 2, apart: 1, atMost: 2, processors: 1}
	if why := good.wrong(); why != "" {
		t.Errorf("%+v: %s", good, why)
	}
	for name, edit := range map[string]func(*plan){
		"no stall":                 func(p *plan) { p.shortest = 0 },
		"shortest above longest":   func(p *plan) { p.shortest = 3 },
		"above what kernels allow": func(p *plan) { p.longest = 2 * time.Second },
		"without a pause":          func(p *plan) { p.apart = 0 },
		"apart above at most":      func(p *plan) { p.apart = 3 },
		"no processor":             func(p *plan) { p.processors = 0 },
		"more than there are":      func(p *plan) { p.processors = 1 << 20 },
	} {
		p := good
		edit(&p)
		if p.wrong() == "" {
			t.Errorf("%s: %+v is taken", name, p)
		}
	}
}
