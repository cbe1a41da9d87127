package daemon

import (
	"sync"

	"baton/impl/node"
)

// item is one thing that another goroutine wants of the loop: an input for the
// core, or a function to run between two inputs.
type item struct {
	input node.Input
	run   func()
	// token is held by the sender of bulk inputs, see inbox.postBulk.
	token bool
}

// maxBulk is how many sync frames may wait for the loop. A sender that waits
// slows its TCP stream down, which is the flow control that is wanted.
const maxBulk = 64

// inbox is how the goroutines of the daemon reach the loop.
type inbox struct {
	wake func()
	bulk chan struct{}

	closed chan struct{} // closed by close

	mu    sync.Mutex // also held while waking, so that nobody wakes a loop that has ended
	items []item
	ended bool
}

func newInbox(wake func()) *inbox {
	return &inbox{wake: wake, bulk: make(chan struct{}, maxBulk), closed: make(chan struct{})}
}

// post queues an input. It does not block.
func (b *inbox) post(in node.Input) { b.put(item{input: in}) }

// call queues a function. It does not block.
func (b *inbox) call(f func()) { b.put(item{run: f}) }

// postBulk queues an input of which many may come, and blocks while too many wait.
func (b *inbox) postBulk(in node.Input) {
	select {
	case b.bulk <- struct{}{}:
		b.put(item{input: in, token: true})
	case <-b.closed:
	}
}

func (b *inbox) put(i item) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	b.items = append(b.items, i)
	if len(b.items) == 1 {
		b.wake()
	}
}

// take exchanges the items that wait for an empty slice to fill.
func (b *inbox) take(empty []item) []item {
	b.mu.Lock()
	defer b.mu.Unlock()
	items := b.items
	b.items = empty[:0]
	return items
}

// release gives a token back when its input has been stepped.
func (b *inbox) release() { <-b.bulk }

// close lets blocked senders go, and ignores whatever still comes.
func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	close(b.closed)
}
