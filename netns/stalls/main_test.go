package main

import (
	"context"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestTheHostStandsStill: a thread on the processor that is taken sees a whole pause for each stall.
func TestTheHostStandsStill(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: it takes the processors above all other threads")
	}
	p := plan{shortest: 60 * time.Millisecond, longest: 60 * time.Millisecond, apart: 150 * time.Millisecond, atMost: 150 * time.Millisecond, processors: 1}
	b, err := newBlocker(0)
	if err != nil {
		t.Fatal(err)
	}
	began, stop, saw := make(chan struct{}), make(chan struct{}), make(chan int)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its processor
		if err := unix.SchedSetaffinity(0, &unix.CPUSet{1}); err != nil {
			t.Error(err)
		}
		pauses := 0
		last := time.Now()
		close(began)
		for {
			now := time.Now()
			if now.Sub(last) >= p.shortest {
				pauses++
			}
			last = now
			select {
			case <-stop:
				saw <- pauses
				return
			default:
			}
		}
	}()
	<-began
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	stalls, whole := p.stall(ctx, []*blocker{b})
	close(stop)
	if pauses := <-saw; stalls == 0 || pauses < stalls {
		t.Errorf("%d pauses of 60 ms or more in %d stalls", pauses, stalls)
	}
	if whole != time.Duration(stalls)*p.shortest {
		t.Errorf("%d stalls of 60 ms took %s in all", stalls, whole)
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
