package explore

import (
	"fmt"

	"baton/impl/fingerprint"
	"baton/impl/node"
)

// fingerprint identifies the state.
func (w *world) fingerprint() uint64 {
	f := fingerprint.New(w.now, Beat)
	for i := range w.sides {
		w.sides[i].fingerprint(f)
		f.Number(uint64(len(w.sent[i])))
		for _, frame := range w.sent[i] {
			f.Number(uint64(frame.kind) | frame.stream<<8)
			f.Number(uint64(frame.knows))
			f.Text(string(frame.data))
		}
		f.Flag(w.cut[i][0])
		f.Flag(w.cut[i][1])
	}
	f.Number(uint64(w.faults)<<8 | uint64(w.flows))
	f.Flag(w.divided)
	f.Flag(w.divided && w.heard[0])
	f.Flag(w.divided && w.heard[1])
	f.Number(uint64(w.shared))
	w.store.fingerprint(f)
	return f.Sum(len(w.sent[0])+len(w.sent[1]) > 0)
}

func (s *side) fingerprint(f *fingerprint.Hash) {
	f.Flag(s.frozen)
	f.Flag(s.carrier)
	f.Flag(s.blocked)
	f.Flag(s.stopping)
	f.Flag(s.degraded)
	f.Flag(s.synced)
	f.Instant(s.lease)
	f.Number(uint64(s.table))
	f.Counter(fingerprint.Stream, s.stream)
	f.Counter(fingerprint.Epoch, uint64(s.knows))
	f.Flag(s.core == nil)
	if s.core == nil {
		return
	}
	f.Flag(f.Now().Sub(s.born) < hold)
	for _, e := range s.driver.Waiting() {
		f.Text(writes(e))
	}
	f.Number(uint64(len(s.driver.Waiting())))
	for _, in := range s.inbox {
		hashInput(f, in)
	}
	s.core.Fingerprint(f)
}

// hashInput adds a queued input. Of a heartbeat it hashes the second byte, whose upper bits are the
// session state (RFC 5880 section 4.1).
func hashInput(f *fingerprint.Hash, in node.Input) {
	switch in := in.(type) {
	case node.Packet:
		f.Number(uint64(in.Path)<<8 | uint64(in.Data[1]))
		f.Instant(in.At)
	case node.Message:
		f.Number(in.Stream)
		f.Text(string(in.Data))
	case node.Link:
		f.Flag(in.Up)
	default:
		f.Text(fmt.Sprintf("%T", in))
	}
}
