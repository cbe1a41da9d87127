package netns

import (
	"fmt"
	"runtime"

	"github.com/containernetworking/plugins/pkg/ns"
)

// thread runs functions on one OS thread that stays inside a network namespace.
// Processes are spawned from it, because the kernel delivers a child's parent
// death signal when the thread that spawned it ends, not when the process does:
// a child spawned from any of the runtime's threads could be killed at any time.
type thread struct {
	work chan func()
	done chan struct{}
}

// startThread enters the namespace on a thread of its own.
func startThread(space ns.NetNS) (*thread, error) {
	t := &thread{work: make(chan func()), done: make(chan struct{})}
	entered := make(chan error, 1)
	go t.loop(space, entered)
	if err := <-entered; err != nil {
		return nil, err
	}
	return t, nil
}

func (t *thread) loop(space ns.NetNS, entered chan<- error) {
	defer close(t.done)
	runtime.LockOSThread()
	home, err := ns.GetCurrentNS()
	if err != nil {
		runtime.UnlockOSThread()
		entered <- fmt.Errorf("open the current namespace: %w", err)
		return
	}
	defer home.Close()
	if err := space.Set(); err != nil {
		runtime.UnlockOSThread()
		entered <- err
		return
	}
	entered <- nil
	for f := range t.work {
		f()
	}
	// Back home before the end: the runtime ends a locked thread with its
	// goroutine, all but the process's first, which it only parks, and which would
	// go on holding the namespace.
	if home.Set() == nil {
		runtime.UnlockOSThread()
	}
}

// do runs f on the thread and returns when it has returned.
func (t *thread) do(f func()) {
	ran := make(chan struct{})
	t.work <- func() {
		defer close(ran)
		f()
	}
	<-ran
}

// stop ends the thread and waits until it has left the namespace.
func (t *thread) stop() {
	close(t.work)
	<-t.done
}
