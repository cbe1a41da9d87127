package explore

import (
	"fmt"
	"reflect"

	"baton/impl/node"
)

// fingerprint identifies the state.
func (w *world) fingerprint() uint64 {
	f := fingerprint{hash: hashOffset, now: w.now, types: w.opts.types}
	for i := range w.sides {
		w.sides[i].fingerprint(&f)
		f.add(uint64(len(w.sent[i])))
		for _, frame := range w.sent[i] {
			f.add(uint64(frame.kind) | frame.stream<<8)
			f.add(uint64(frame.knows))
			f.text(string(frame.data))
		}
		f.flag(w.cut[i][0])
		f.flag(w.cut[i][1])
	}
	f.add(uint64(w.faults)<<8 | uint64(w.flows))
	f.flag(w.divided)
	f.flag(w.divided && w.heard[0])
	f.flag(w.divided && w.heard[1])
	f.add(uint64(w.shared))
	return f.sum(len(w.sent[0])+len(w.sent[1]) > 0)
}

func (s *side) fingerprint(f *fingerprint) {
	f.flag(s.frozen)
	f.flag(s.carrier)
	f.flag(s.blocked)
	f.flag(s.stopping)
	f.flag(s.degraded)
	f.flag(s.synced)
	f.instant("lease", s.lease)
	f.add(uint64(s.table))
	f.number("stream", s.stream)
	f.number("epoch", uint64(s.knows))
	f.flag(s.core == nil)
	if s.core == nil {
		return
	}
	f.flag(f.now.Sub(s.born) < hold)
	for _, e := range s.driver.Waiting() {
		f.text(writes(e))
	}
	f.add(uint64(len(s.driver.Waiting())))
	for _, in := range s.inbox {
		f.input(in)
	}
	f.value("", reflect.ValueOf(s.core).Elem())
}

// input adds one that waits for a daemon: of a heartbeat what it reports (the
// state is in the upper bits of the second byte, RFC 5880 section 4.1).
func (f *fingerprint) input(in node.Input) {
	switch in := in.(type) {
	case node.Packet:
		f.add(uint64(in.Path)<<8 | uint64(in.Data[1]))
	case node.Message:
		f.add(in.Stream)
		f.text(string(in.Data))
	case node.Link:
		f.flag(in.Up)
	default:
		f.text(fmt.Sprintf("%T", in))
	}
}
