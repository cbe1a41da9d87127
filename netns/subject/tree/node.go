package tree

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/netns/internal/hostclock"
)

// stopLimit is how long processes may take to end after stop has returned and SIGTERM was
// sent.
const stopLimit = 2 * time.Second

// traceFD is the descriptor for events.
const traceFD = 3

// node is the running tree.
type node struct {
	Launch
	reaper *reaper
	events *json.Encoder
	began  clock.Instant
	ready  atomic.Bool   // start has returned
	empty  chan struct{} // receives a token when no process is left
}

// Run is the init of a node, until SIGTERM or until the node ends unasked, which is an
// error.
func Run(file string) error {
	n, err := begin(file)
	if err != nil {
		return err
	}
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, unix.SIGTERM, unix.SIGINT)
	unix.CloseOnExec(traceFD)
	n.events = json.NewEncoder(os.NewFile(traceFD, "trace"))
	if err := n.run(terminate); err != nil {
		return fmt.Errorf("%s: %w", n.Node, err)
	}
	return n.stop()
}

// Reset is the init of a tree that only removes what earlier trees of the node have left.
func Reset(file string) error {
	n, err := begin(file)
	if err != nil {
		return err
	}
	n.Trace = false
	if err := n.bounded("reset", n.Launch.Reset, nil); err != nil {
		return fmt.Errorf("%s: %w", n.Node, err)
	}
	return nil
}

// begin isolates the tree and reaps its processes.
func begin(file string) (*node, error) {
	l, err := read(file)
	if err != nil {
		return nil, err
	}
	if err := isolate(l); err != nil {
		return nil, fmt.Errorf("%s: %w", l.Node, err)
	}
	n := &node{Launch: l, began: hostclock.Now(), empty: make(chan struct{}, 1)}
	n.reaper = newReaper(func() {
		if n.ready.Load() {
			select {
			case n.empty <- struct{}{}:
			default:
			}
		}
	})
	return n, nil
}

// run starts the node and waits until it must stop.
func (n *node) run(terminate <-chan os.Signal) error {
	if n.Start != "" {
		returned := n.announceSlow("start", n.Start)
		err := n.bounded("start", n.Start, nil)
		returned(err)
		if err != nil {
			return err
		}
	}
	daemons := others()              // of start
	var ended <-chan unix.WaitStatus // nil if start has left daemons
	if n.Run != "" {
		var err error
		if _, ended, err = n.reaper.script(n.Run, n.Dir, n.environ(), n.files(nil)); err != nil {
			return fmt.Errorf("run: %w", err)
		}
	}
	n.ready.Store(true)
	empty := n.empty
	if n.Run != "" {
		empty = nil // ended reports its end
	} else if len(others()) == 0 {
		return fmt.Errorf("start has left no process running: `%s`; it must start a daemon; use run for a program in the foreground", firstLine(n.Start))
	}
	if err := n.serve(); err != nil {
		return err
	}
	if n.Role != "" {
		go n.poll()
	}
	select {
	case <-terminate:
		return nil
	case status := <-ended:
		return fmt.Errorf("run %s: `%s`%s", how(status), firstLine(n.Run), left(daemons))
	case <-empty:
		return fmt.Errorf("the last process that start had left has ended: `%s`", firstLine(n.Start))
	}
}

// left names the daemons that run has left behind; they belong in start, as those that it has left, with their
// children.
func left(daemons []process) string {
	var found []string
	for _, p := range others() {
		if !descends(p, daemons) {
			found = append(found, p.String())
		}
	}
	if len(found) > 0 {
		return "; it has left " + strings.Join(found, ", ") + " running: use start for a daemon"
	}
	return ""
}

// stop ends the node. Processes that outlive it are reported as a leak and end with the
// tree.
func (n *node) stop() error {
	n.ready.Store(false)
	if n.Stop != "" {
		if err := n.bounded("stop", n.Stop, nil); err != nil {
			n.note("%v", err)
		}
	}
	_ = unix.Kill(-1, unix.SIGTERM) // to all but the init; an error means that none is left
	left := await(stopLimit)
	for _, what := range left {
		n.emit(trace.Event{Kind: trace.KindLeak, Leak: &trace.Leak{What: fmt.Sprintf("%s of %s outlived its stop by %s", what, n.Node, stopLimit)}})
	}
	return nil
}

// await waits until no other process is left, and returns those that are.
func await(limit time.Duration) (left []process) {
	deadline := time.Now().Add(limit)
	for left = others(); len(left) > 0 && time.Now().Before(deadline); left = others() {
		_, _ = unix.Poll(nil, 5)
	}
	return left
}

// slow is the time after which a command that has not returned is noted: a wait may end before the
// command's timeout does.
const slow = time.Second

// announceSlow notes that a command has not returned yet, and when it has, if that takes long.
func (n *node) announceSlow(what, script string) (returned func(error)) {
	began, noted := time.Now(), make(chan bool, 1)
	timer := time.AfterFunc(slow, func() {
		n.note("%s has not returned yet: `%s`", what, firstLine(script))
		noted <- true
	})
	return func(err error) {
		if !timer.Stop() && <-noted && err == nil {
			n.note("%s returned after %s", what, time.Since(began).Round(time.Millisecond))
		}
	}
}

// note emits a remark about the node.
func (n *node) note(format string, args ...any) {
	n.emit(trace.Event{Kind: trace.KindNote, Note: n.Node + ": " + fmt.Sprintf(format, args...)})
}

// bounded runs a script, and kills its session after the timeout.
func (n *node) bounded(what, script string, out *os.File) error {
	pid, ended, err := n.reaper.script(script, n.Dir, n.environ(), n.files(out))
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	timer := time.NewTimer(n.Timeout)
	defer timer.Stop()
	select {
	case status := <-ended:
		if status.Exited() && status.ExitStatus() == 0 {
			return nil
		}
		return fmt.Errorf("%s %s: `%s`", what, how(status), firstLine(script))
	case <-timer.C:
		_ = unix.Kill(-pid, unix.SIGKILL)
		return fmt.Errorf("%s did not return within %s: `%s`; use run for a program in the foreground", what, n.Timeout, firstLine(script))
	}
}

// environ is this process's environment with the launch's variables.
func (n *node) environ() []string { return append(slices.Clone(os.Environ()), n.Env...) }

// files returns the descriptors of a script: no input, the log, and the trace if it is
// wanted.
func (n *node) files(out *os.File) []uintptr {
	output := uintptr(1)
	if out != nil {
		output = out.Fd()
	}
	files := []uintptr{0, output, 2}
	if n.Trace {
		files = append(files, traceFD)
	}
	return files
}

// emit writes an event of the node.
func (n *node) emit(e trace.Event) {
	e.At, e.Node = hostclock.Now(), n.Node
	if err := n.events.Encode(e); err != nil {
		fmt.Fprintln(os.Stderr, "baton: trace:", err)
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
