package sim

import "baton/impl/clock"

// kind says what an event is.
type kind uint8

const (
	evCall    kind = iota // run a function; for rare events
	evPacket              // a packet of a service arrives at a host
	evTimer               // a node's timer
	evBFD                 // a BFD packet arrives at a node
	evFrame               // a frame of the sync stream arrives at a node
	evWork                // an effect that takes time has completed
	evPoll                // a process reads its dataplane's flow events
	evSweep               // a process expires its dataplane's entries
	evRTO                 // a retransmission timer of a TCP endpoint
	evGARP                // a gratuitous ARP arrives on a link
	evConnect             // a generator's connection has taken too long
)

// event is a scheduled event. It holds the data of the frequent kinds by value, so that they need
// no allocation.
type event struct {
	kind   kind
	who    uint8  // node or host
	path   uint8  // path of a BFD packet, or VIP of a GARP
	stamp  uint64 // identifies what it belongs to; an event with an outdated stamp is ignored
	packet packet
	data   []byte
	stream *stream
	call   func()
}

// key orders events by instant, then by the order of scheduling.
type key struct {
	at    clock.Instant
	order uint32
	slot  uint32
}

func (k key) before(o key) bool { return k.at < o.at || k.at == o.at && k.order < o.order }

// queue is the event heap: keys in a binary heap, events in slots that are reused.
type queue struct {
	keys  []key
	slots []event
	free  []uint32
	order uint32
}

// next returns the instant of the first event, clock.Never if there is none.
func (q *queue) next() clock.Instant {
	if len(q.keys) == 0 {
		return clock.Never
	}
	return q.keys[0].at
}

// push schedules an event and returns it with only its kind set. The caller fills it in before
// the next call to the queue.
func (q *queue) push(at clock.Instant, k kind) *event {
	var slot uint32
	if n := len(q.free); n > 0 {
		slot = q.free[n-1]
		q.free = q.free[:n-1]
	} else {
		slot = uint32(len(q.slots))
		q.slots = append(q.slots, event{})
	}
	q.order++
	q.keys = append(q.keys, key{at, q.order, slot})
	q.up(len(q.keys) - 1)
	e := &q.slots[slot]
	e.kind = k
	return e
}

// pop removes the first event, copies it to into and returns its instant.
func (q *queue) pop(into *event) clock.Instant {
	first := q.keys[0]
	*into = q.slots[first.slot]
	q.drop()
	return first.at
}

// drop removes the first event.
func (q *queue) drop() {
	slot := q.keys[0].slot
	q.slots[slot] = event{}
	q.free = append(q.free, slot)
	last := len(q.keys) - 1
	q.keys[0] = q.keys[last]
	q.keys = q.keys[:last]
	if last > 0 {
		q.down(0)
	}
}

// postpone moves the first event to a later instant, behind events already scheduled for it.
func (q *queue) postpone(at clock.Instant) {
	q.order++
	q.keys[0].at, q.keys[0].order = at, q.order
	q.down(0)
}

func (q *queue) up(i int) {
	k := q.keys[i]
	for i > 0 {
		parent := (i - 1) / 2
		if !k.before(q.keys[parent]) {
			break
		}
		q.keys[i] = q.keys[parent]
		i = parent
	}
	q.keys[i] = k
}

func (q *queue) down(i int) {
	k := q.keys[i]
	for {
		child := 2*i + 1
		if child >= len(q.keys) {
			break
		}
		if child+1 < len(q.keys) && q.keys[child+1].before(q.keys[child]) {
			child++
		}
		if !q.keys[child].before(k) {
			break
		}
		q.keys[i] = q.keys[child]
		i = child
	}
	q.keys[i] = k
}
