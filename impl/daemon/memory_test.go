package daemon

import (
	"io"
	"sync"

	"baton/impl/clock"
	"baton/impl/clock/boottime"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// memory is a dataplane that forwards nothing: a table, and events that a test adds. Unlike
// the model it is safe for concurrent use, as the daemon requires, and can be made slow or
// failing.
type memory struct {
	mu       sync.Mutex
	table    map[flow.Tuple]flow.Entry
	events   []flow.Event
	pending  chan struct{} // has room for one: events may be there
	closed   chan struct{}
	lease    clock.Instant
	leases   int
	counters dataplane.Counters

	open        int           // flows to open once the lease is held
	fail        error         // what Apply returns
	hold        chan struct{} // Dump and Sweep wait until it is closed
	rung        bool          // a reply was deferred
	stuck       bool          // Poll never returns
	onLease     func()        // called once before a lease is written
	onDelete    func()        // called after each Delete
	toBeSwept   []flow.Entry
	sweepFails  error // returned after the sweep's entries were removed
	pollFails   error // returned after the pending events
	macFails    error
	lookupFails error
	applyCalls  int
	noPort      uint64 // dropped new flows of the service refused
	refused     flow.Service

	adoption dataplane.Adoption
	kept     flow.Pedigree
}

var _ dataplane.Dataplane = (*memory)(nil)

// No reply is deferred here.
func (m *memory) Release([]uint64) error { return nil }
func (m *memory) Discard([]uint64)       {}
func (m *memory) Doorbell() int          { return -1 }

// Rung reports whether a test has deferred replies since the last call.
func (m *memory) Rung() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	rung := m.rung
	m.rung = false
	return rung
}

func newMemory() *memory {
	return &memory{refused: entryService, table: map[flow.Tuple]flow.Entry{}, pending: make(chan struct{}, 1), closed: make(chan struct{})}
}

// entryService is the service of entry's flows.
var entryService = flow.Service{VIP: flow.IPv4(198, 18, 0, 100), Port: 80, Proto: flow.TCP}

// entry returns the i-th of many flows.
func entry(i int) flow.Entry {
	original := flow.Tuple{
		Src: flow.IPv4(198, 18, 0, 11), SrcPort: uint16(i), Dst: flow.IPv4(198, 18, 0, 100), DstPort: 80, Proto: flow.TCP,
	}
	original.Src[14], original.Src[15] = byte(i>>24), byte(i>>16)
	reply := flow.Tuple{
		Src: flow.IPv4(198, 18, 1, 11), SrcPort: 80, Dst: flow.IPv4(198, 18, byte(i>>24), byte(i>>16)), DstPort: uint16(i), Proto: flow.TCP,
	}
	return flow.Entry{Original: original, Reply: reply, State: flow.Established, Origin: flow.Opened, Remaining: dataplane.DefaultTimeouts().Established}
}

func (m *memory) PortsUsed() map[flow.Service]dataplane.PortUse { return nil }

func (m *memory) Keep(p flow.Pedigree) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept = p
	return nil
}

func (m *memory) Lease(until clock.Instant) error {
	if f := m.onLease; f != nil {
		m.onLease = nil
		f()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lease = until
	m.leases++
	if until > boottime.Now() && m.open > 0 {
		go m.openFlows(m.open)
		m.open = 0
	}
	return nil
}

// openFlows is the traffic of a node that has become MASTER.
func (m *memory) openFlows(n int) {
	for i := range n {
		m.mu.Lock()
		m.add(flow.Event{Entry: entry(i)})
		m.mu.Unlock()
	}
}

// add adds an event; the caller holds the lock.
func (m *memory) add(e flow.Event) {
	if e.Deleted {
		delete(m.table, e.Entry.Original)
	} else {
		m.table[e.Entry.Original] = e.Entry
	}
	m.events = append(m.events, e)
	select {
	case m.pending <- struct{}{}:
	default:
	}
}

func (m *memory) SetMAC(string, [6]byte) error                           { return m.macFails }
func (m *memory) Relay(clock.Instant) error                              { return nil }
func (m *memory) SetPeerMAC(string, [6]byte) error                       { return nil }
func (m *memory) SetMiss(dataplane.MissPolicy) error                     { return nil }
func (m *memory) Attached() dataplane.Attachment                         { return dataplane.Attachment{} }
func (m *memory) Adopted() dataplane.Adoption                            { return m.adoption }
func (m *memory) SetServices([]dataplane.Service, []dataplane.VIP) error { return nil }
func (m *memory) Close() error                                           { close(m.closed); return nil }
func (m *memory) Counters() (c dataplane.Counters, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counters, nil
}
func (m *memory) Refused() (map[flow.Service]dataplane.Refusals, error) {
	return map[flow.Service]dataplane.Refusals{m.refused: {NoPort: m.noPort}}, nil
}

func (m *memory) Lookup(t flow.Tuple) (flow.Entry, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lookupFails != nil {
		return flow.Entry{}, false, m.lookupFails
	}
	e, ok := m.table[t]
	return e, ok, nil
}

func (m *memory) Apply(entries []flow.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.applyCalls++
	for _, e := range entries {
		m.table[e.Original] = e
	}
	return m.fail
}

func (m *memory) Delete(tuples []flow.Tuple) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range tuples {
		delete(m.table, t)
	}
	if m.onDelete != nil {
		m.onDelete()
	}
	return nil
}

func (m *memory) Merge(entries []flow.Entry, deletes []flow.Tuple) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range deletes {
		if m.table[t].Origin == flow.Synced {
			delete(m.table, t)
		}
	}
	for _, e := range entries {
		if _, found := m.table[e.Original]; !found {
			m.table[e.Original] = e
		}
	}
	return m.fail
}

func (m *memory) Dump(f func(flow.Entry) bool) error {
	m.wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.table {
		if !f(e) {
			break
		}
	}
	return nil
}

func (m *memory) Sweep(_, _ clock.Instant) ([]flow.Entry, error) {
	m.wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	swept := m.toBeSwept
	m.toBeSwept = nil
	return swept, m.sweepFails
}

func (m *memory) wait() {
	if m.hold != nil {
		<-m.hold
	}
}

// Poll hands over at most what fits a ring buffer of the usual size.
func (m *memory) Poll(limit int, f func(flow.Event)) (more bool, err error) {
	if m.stuck {
		select {}
	}
	m.mu.Lock()
	events := m.events[:min(limit, len(m.events), 1<<15)]
	m.events = m.events[len(events):]
	if more = len(m.events) > 0; more {
		select {
		case m.pending <- struct{}{}:
		default:
		}
	}
	m.mu.Unlock()
	for _, e := range events {
		f(e)
	}
	return more, m.pollFails
}

func (m *memory) Wait() error {
	select {
	case <-m.pending:
		return nil
	case <-m.closed:
		return io.EOF
	}
}
