package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"baton/scenarios"
	"baton/scenarios/check"
	"baton/scenarios/lab"
)

// progress is the line that a terminal shows while a scenario runs. It prints nothing
// if the output is not a terminal.
type progress struct {
	out   *os.File
	name  string
	quit  chan struct{}
	ended chan struct{} // closed when nothing is written any more; nil before follow
	once  sync.Once     // of quit
	board *board        // shown instead of a line; nil for the line
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
	if !isTerminal(p.out) {
		return
	}
	if p.board != nil {
		run.Recording.Follow(p.board.record)
	}
	p.ended = make(chan struct{})
	go func() {
		defer close(p.ended)
		ticker := time.NewTicker(progressEvery)
		defer ticker.Stop()
		shown := 0
		for {
			select {
			case <-ticker.C:
				shown = redraw(p.out, shown, p.lines(run))
			case <-p.quit:
				redraw(p.out, shown, nil)
				return
			}
		}
	}()
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// mute disables the line, because other runs are in progress.
func (p *progress) mute() { p.out = nil }

// stop ends the line and wipes it. It may be called again.
func (p *progress) stop() {
	p.once.Do(func() { close(p.quit) })
	if p.ended != nil {
		<-p.ended
	}
}

// lines returns the text to show: one line, or the whole board.
func (p *progress) lines(run *scenarios.Run) []string {
	lines := []string{p.line(run)}
	if p.board != nil {
		p.board.tick()
		run.Recording.View(func(s *check.State) { lines = append(lines, p.board.lines(s)...) })
	}
	return lines
}

// redraw overwrites the lines shown before and returns the number of new lines. The
// cursor stays in the last.
func redraw(out io.Writer, before int, lines []string) int {
	var text strings.Builder
	if before > 1 {
		fmt.Fprintf(&text, "\x1b[%dA", before-1)
	}
	text.WriteString("\r\x1b[J")
	for i, line := range lines {
		if i > 0 {
			text.WriteString("\r\n")
		}
		text.WriteString("\x1b[?7l" + line + "\x1b[?7h") // truncate long lines
	}
	_, _ = io.WriteString(out, text.String())
	return len(lines)
}

func (p *progress) line(run *scenarios.Run) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %.1fs left", p.name, run.Remaining().Seconds())
	run.Recording.View(func(s *check.State) {
		for _, name := range lab.Nodes() {
			fmt.Fprintf(&b, "  %s %s", name, stateOf(s.Nodes[name]))
		}
		fmt.Fprintf(&b, "  sessions %d  RST %d", s.Sessions(""), s.Tally.RST)
		fmt.Fprintf(&b, "  lost %d", sum(s.Tally.Lost))
	})
	return b.String()
}
