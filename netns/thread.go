package netns

import (
	"fmt"
	"runtime"

	"github.com/containernetworking/plugins/pkg/ns"
)

// thread runs functions on one OS thread that stays inside a network namespace. Processes
// are started from it because the kernel sends a child's parent-death signal when the
// thread that started it ends, not when the process does: a child of any other runtime
// thread could be killed at any time.
type thread struct {
	work chan func()
	done chan struct{}
}

// startThread starts a thread and enters the namespace on it.
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
	// Leave the namespace before the end: the runtime ends a locked thread with its
	// goroutine, except for the process's first thread, which it only parks and which would
	// hold the namespace.
	if home.Set() == nil {
		runtime.UnlockOSThread()
	}
}

// do runs f on the thread and waits for it.
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
