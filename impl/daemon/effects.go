package daemon

import (
	"fmt"

	"baton/impl/dataplane"
	"baton/impl/flow"
	"baton/impl/node"
)

// carryOut does what the core wants done. What it comes to is stepped once the
// effects of the present step have all been carried out.
func (l *loop) carryOut(effect node.Effect) {
	switch e := effect.(type) {
	case *node.SendBFD:
		l.paths[e.Path].send(l.log, e.Data)
	case *node.Lease:
		err := l.dp.Lease(e.Until)
		l.leased = e.Until
		if e.ID != 0 {
			l.answer(e.ID, err)
		} else if err != nil {
			l.log.Error("lease not renewed", "error", err)
		}
	case node.SendSync:
		l.out.send(l.stream, e.Data)
	case node.ResetStream:
		l.out.reset(l.stream, e.Why)
	case node.Apply:
		l.scans.apply(l, e)
	case node.Miss:
		l.setMiss(e)
	case node.Drain:
		err := l.pollEvents()
		l.answer(e.ID, err)
	case node.Dump:
		l.scans.dump(l, e)
	case node.Expire:
		l.scans.expire(e)
	case node.Announce:
		if err := l.out.announce(); err != nil {
			l.log.Warn("gratuitous ARP not sent", "count", e.Count, "error", err)
		}
	case *node.Trace:
		if role := e.Event.Role; role != nil && role.Refused != "" {
			l.refused = role.Reason
		}
		l.recorder.Event(e.Event)
	case node.Exit:
		l.ended = true
	default:
		panic(fmt.Sprintf("daemon: the core has an effect that the loop does not know: %T", e))
	}
}

// answer queues the Done of an effect.
func (l *loop) answer(id uint64, err error) {
	done := node.Done{ID: id}
	if err != nil {
		done.Err = err.Error()
		l.log.Error("effect failed", "id", id, "error", err)
	}
	l.answers = append(l.answers, done)
}

func (l *loop) setMiss(e node.Miss) {
	policy := dataplane.MissAdopt
	if e.Guess {
		policy = dataplane.MissGuess
	}
	if err := l.dp.SetMiss(policy); err != nil {
		l.log.Error("miss policy not set", "error", err)
	}
}

// maxEvents is how many flow events one input carries at most.
const maxEvents = 256

// pollEvents queues the flow events that are pending in the dataplane.
func (l *loop) pollEvents() error {
	_, err := l.dp.Poll(func(e flow.Event) {
		if len(l.events) == maxEvents {
			l.queueEvents()
		}
		l.events = append(l.events, e)
		l.out.client(e.Entry.Original.Src)
	})
	l.queueEvents()
	return err
}

// queueEvents queues one input of the events that were collected.
func (l *loop) queueEvents() {
	if len(l.events) > 0 {
		l.answers = append(l.answers, node.Flows{Events: append([]flow.Event(nil), l.events...)})
		l.events = l.events[:0]
	}
}
