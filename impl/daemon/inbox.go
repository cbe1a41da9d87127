package daemon

import (
	"sync"

	"baton/impl/node"
)

// item is a request to the loop: an input for the core, or a function to run between two
// inputs.
type item struct {
	input node.Input
	run   func()
	// token is held by the sender of a bulk input, see inbox.postBulk.
	token bool
}

// maxBulk is the maximum number of queued sync frames. A sender that waits slows its TCP
// stream down, which is intended as flow control.
const maxBulk = 64

// inbox passes requests of other goroutines to the loop.
type inbox struct {
	wake func()
	bulk chan struct{}

	closed chan struct{} // closed by close

	mu    sync.Mutex // also held while waking, so that an ended loop is not woken
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

// postBulk queues an input of a frequent kind, and blocks while too many are queued.
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

// take returns the queued items and queues into empty from then on.
func (b *inbox) take(empty []item) []item {
	b.mu.Lock()
	defer b.mu.Unlock()
	items := b.items
	b.items = empty[:0]
	return items
}

// release returns a token after its input was stepped.
func (b *inbox) release() { <-b.bulk }

// close unblocks waiting senders and ignores later items.
func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	close(b.closed)
}
