package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"baton/scenarios"
	"baton/scenarios/check"
	"baton/scenarios/lab"
)

// progress is the line that a terminal shows while a scenario runs. Anywhere else
// it is silent.
type progress struct {
	out   *os.File
	name  string
	quit  chan struct{}
	ended chan struct{} // closed when nothing is written any more; nil before follow
}

const progressEvery = 200 * time.Millisecond

func newProgress(out *os.File, name string) *progress {
	return &progress{out: out, name: name, quit: make(chan struct{})}
}

// follow shows the run until stop.
func (p *progress) follow(run *scenarios.Run) {
	if p.out == nil {
		return
	}
	if _, err := unix.IoctlGetTermios(int(p.out.Fd()), unix.TCGETS); err != nil {
		return
	}
	p.ended = make(chan struct{})
	go func() {
		defer close(p.ended)
		ticker := time.NewTicker(progressEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				fmt.Fprintf(p.out, "\r\x1b[K%s", p.line(run))
			case <-p.quit:
				fmt.Fprint(p.out, "\r\x1b[K")
				return
			}
		}
	}()
}

// mute has nothing shown of the run: others run beside it.
func (p *progress) mute() { p.out = nil }

// stop ends the line and wipes it.
func (p *progress) stop() {
	close(p.quit)
	if p.ended != nil {
		<-p.ended
	}
}

func (p *progress) line(run *scenarios.Run) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %.1fs left", p.name, run.Remaining().Seconds())
	run.Recording.View(func(s *check.State) {
		for _, name := range lab.Nodes() {
			n := s.Nodes[name]
			role := n.Role
			switch {
			case !n.Up:
				role = "down"
			case n.Frozen:
				role += " (frozen)"
			}
			fmt.Fprintf(&b, "  %s %s", name, role)
		}
		fmt.Fprintf(&b, "  sessions %d  RST %d", s.Sessions(""), s.Tally.RST)
		lost := 0
		for _, n := range s.Tally.Lost {
			lost += n
		}
		fmt.Fprintf(&b, "  lost %d", lost)
	})
	return b.String()
}
