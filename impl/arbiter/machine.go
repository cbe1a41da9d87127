package arbiter

import (
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
)

// Machine is one node's side. Make one with New.
type Machine struct {
	self     string
	validity time.Duration

	wants    bool
	used     bool          // the right was wanted at some time
	began    clock.Instant // of the first question: a validity later no right of an earlier process holds
	held     bool          // the record names this node, and this node wants the right
	until    clock.Instant // of the right
	denied   bool          // the store's last answer named the peer
	revision uint64        // of the record that holds this node's name or challenge

	asked   bool // a question is on its way
	sent    clock.Instant
	id      uint64
	purpose purpose
	next    clock.Instant // when the next question is due
	ready   []Question
	failed  int           // questions in a row that were not answered
	silent  bool          // so the store does not answer
	back    clock.Instant // when it answered last after it had not
	err     string        // why the last was not

	challenged clock.Instant // when this node's challenge was confirmed, Never without one
}

// purpose is what a question is for.
type purpose uint8

const (
	look      purpose = iota // read the record
	take                     // write this node's name
	answer                   // remove the peer's challenge
	challenge                // ask whether the peer, or the node that the lost record named, lives
	leave                    // remove this node's name
)

// Questions per validity, and pauses after failures.
const (
	asksPerValidity = 4
	retryAfter      = 20 * time.Millisecond
)

// share is the part of the validity for which a right holds on this node's clock. The rest
// covers clocks that differ in rate.
const share = 0.9

// New returns the machine of a node in a pair whose rights hold for validity.
func New(self string, validity time.Duration) Machine {
	return Machine{self: self, validity: validity, challenged: clock.Never}
}

// Clone returns a copy that shares nothing.
func (m *Machine) Clone() Machine {
	c := *m
	c.ready = append([]Question(nil), m.ready...)
	return c
}

// Fingerprint adds the machine's state.
func (m *Machine) Fingerprint(h *fingerprint.Hash) {
	h.Flag(m.wants)
	h.Flag(m.used)
	h.Instant(m.began.Add(m.validity))
	h.Flag(m.held)
	h.Instant(m.until)
	h.Flag(m.denied)
	h.Counter(fingerprint.Revision, m.revision)
	h.Flag(m.asked)
	h.Instant(m.sent.Add(m.validity / 2))
	h.Number(uint64(m.purpose))
	h.Instant(m.next)
	h.Instant(m.challenged.Add(m.validity))
	h.Int(min(m.failed, 3))
	h.Flag(m.silent)
	h.Instant(m.back.Add(m.validity))
}

// Until returns when this node's right to act alone ends. A past instant means no right.
func (m *Machine) Until() clock.Instant {
	if !m.held {
		return 0
	}
	return m.until
}

// Denied reports whether the store's last answer named the peer.
func (m *Machine) Denied() bool { return m.denied }

// Why says why the last question failed, "" if it was answered.
func (m *Machine) Why() string { return m.err }

// Unanswered reports whether the store does not answer: a question has failed, and none was
// answered since.
func (m *Machine) Unanswered() bool { return m.silent }

// Back returns when the store answered last after it had not, 0 if it always has.
func (m *Machine) Back() clock.Instant { return m.back }

// Forget has the store asked anew whether it answers: what is known of that is from before a
// pause of this node.
func (m *Machine) Forget(now clock.Instant) {
	if m.asked {
		m.asked, m.challenged = false, clock.Never
	}
	m.silent, m.next = false, min(m.next, now)
}

// Want says whether this node needs the right. A right that is no longer needed is returned.
func (m *Machine) Want(now clock.Instant, wants bool) {
	if m.wants == wants {
		return
	}
	m.wants = wants
	switch {
	case wants:
		m.used, m.next = true, now
		m.asked = m.asked && m.purpose != look // its answer may be slow to come
	case m.held:
		m.held = false
		m.next = now
	case m.purpose != leave:
		m.next, m.challenged, m.denied = now.Add(m.validity), clock.Never, false
	}
}

// Deadline returns when Advance is due.
func (m *Machine) Deadline() clock.Instant {
	if m.asked {
		return m.sent.Add(m.validity / 2)
	}
	return m.next
}

// Advance handles the passing of time.
func (m *Machine) Advance(now clock.Instant) {
	if m.asked && now >= m.sent.Add(m.validity/2) {
		m.asked = false
		m.fail(now, "no answer in time")
	}
	if m.asked || now < m.next {
		return
	}
	switch {
	case m.wants && now >= m.challenged.Add(m.validity):
		m.ask(now, take, Record{Alone: m.self})
	default:
		m.ask(now, look, Record{})
	}
}

// Ready returns the questions since the last call.
func (m *Machine) Ready() []Question {
	ready := m.ready
	m.ready = nil
	return ready
}

// Answered takes an answer, and reports whether the store has answered. The answer to an
// abandoned question is ignored.
func (m *Machine) Answered(now clock.Instant, a Answer) bool {
	if !m.asked || a.ID != m.id {
		return false
	}
	m.asked = false
	if a.Err != "" {
		m.fail(now, a.Err)
		return false
	}
	if m.failed > 0 {
		m.back = now
	}
	m.failed, m.silent, m.err = 0, false, ""
	switch {
	case m.purpose == look:
		m.see(now, a)
	case !a.Swapped:
		m.challenged = clock.Never
		m.next = now // the record has changed: read it
	case m.purpose == take, m.purpose == answer:
		m.grasp(now, a.Revision)
	case m.purpose == challenge:
		m.revision, m.challenged = a.Revision, now
		m.next = now.Add(m.validity)
	case m.purpose == leave:
		m.next = now.Add(m.validity)
		if m.wants {
			m.next = now
		}
	}
	return true
}

// see acts on a record that was read.
func (m *Machine) see(now clock.Instant, a Answer) {
	r := a.Record
	m.denied = r.Alone != "" && r.Alone != m.self
	own := a.Revision
	switch {
	case own == 0:
		m.seeNone(now)
	case r == Record{Challenger: m.self}:
		m.seeLost(now, own)
	case !m.wants && r.Alone == m.self && (m.used || now >= m.began.Add(m.validity)):
		m.swap(now, leave, own, Record{})
	case !m.wants:
		m.next, m.denied = m.sent.Add(m.validity), false
	case r.Alone == "":
		m.held = false
		m.swap(now, take, own, Record{Alone: m.self})
	case r.Alone == m.self && r.Challenger != "":
		m.swap(now, answer, own, Record{Alone: m.self})
	case r.Alone == m.self && m.held && own == m.revision:
		m.grasp(now, own)
	case r.Alone == m.self:
		// Left by an earlier process of this node, or by a swap whose answer was lost.
		m.swap(now, take, own, Record{Alone: m.self})
	default:
		m.held = false
		m.swap(now, challenge, own, Record{Alone: r.Alone, Challenger: m.self})
	}
}

// seeNone acts on a record that was never written, or was deleted. The deleted one may have
// named the peer, whose right still holds: this node challenges it as if it were named.
func (m *Machine) seeNone(now clock.Instant) {
	if m.held && now < m.until {
		m.swap(now, take, 0, Record{Alone: m.self})
		return
	}
	m.held = false
	m.swap(now, challenge, 0, Record{Challenger: m.self})
}

// seeLost acts on this node's challenge of a record that was lost.
func (m *Machine) seeLost(now clock.Instant, revision uint64) {
	switch {
	case m.challenged == clock.Never: // by an earlier process, or its answer was lost
		m.swap(now, challenge, revision, Record{Challenger: m.self})
	case now < m.challenged.Add(m.validity):
		m.next = m.challenged.Add(m.validity)
	case m.wants:
		m.swap(now, take, revision, Record{Alone: m.self})
	default:
		m.swap(now, leave, revision, Record{})
	}
}

// grasp takes the right, counted from when the question was sent.
func (m *Machine) grasp(now clock.Instant, revision uint64) {
	m.held, m.denied, m.revision, m.challenged = true, false, revision, clock.Never
	m.until = m.sent.Add(time.Duration(share * float64(m.validity)))
	m.next = max(now, m.sent.Add(m.validity/asksPerValidity))
	if !m.wants {
		m.held, m.next = false, now
	}
}

// fail delays the next question, longer after each failure.
func (m *Machine) fail(now clock.Instant, why string) {
	m.err = why
	m.next = now.Add(min(retryAfter<<min(m.failed, 8), m.validity/asksPerValidity))
	m.failed++
	m.silent = true
	if m.purpose != look {
		// The swap may have taken place: the record must be read.
		m.challenged = clock.Never
	}
}

func (m *Machine) ask(now clock.Instant, p purpose, r Record) { m.swap(now, p, m.revision, r) }

// swap asks the store.
func (m *Machine) swap(now clock.Instant, p purpose, revision uint64, r Record) {
	if m.id == 0 {
		m.began = now
	}
	m.id++
	m.asked, m.sent, m.purpose = true, now, p
	q := Question{ID: m.id, Swap: p != look, Revision: revision, Record: r}
	if !q.Swap {
		q.Revision = 0
	}
	m.ready = append(m.ready, q)
}
