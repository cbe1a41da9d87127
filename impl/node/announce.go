package node

import (
	"math/rand/v2"
	"time"

	"baton/impl/clock"
	"baton/impl/fingerprint"
	"baton/impl/ha"
	"baton/impl/trace"
)

// announcement is the state of the gratuitous ARPs. They are sent in rounds over all VIPs:
// first the burst, then one round a second for a while, then a round from time to time for
// as long as the node is MASTER. A host that missed all of them talks to the old MASTER
// until its ARP entry ages out. An early announcement matters: TCP doubles its
// retransmission timeout, so a session may stall for as long again as the outage lasted.
//
// Up to atOnce VIPs are announced together. More are paced, because a switch port that
// polices ARP lets a few frames pass and drops the rest. After the burst the rate stays
// below common policer limits, so every VIP gets through. The rate determines the length of
// a round.
type announcement struct {
	pace   Pace
	random rand.PCG // draws the first VIP of a round and the gaps between frames

	began clock.Instant // start of the first round
	round clock.Instant // start of the current round
	sent  int           // rounds begun
	first int           // index of the round's first VIP
	done  int           // VIPs announced in this round; 0: the next round is due
	next  clock.Instant // when the next frame is due, or Never
	early bool          // started before the lease was taken (AnnounceEarly)
}

func (a *announcement) fingerprint(h *fingerprint.Hash) {
	h.Remembered(a.began, longMemory)
	h.Instant(a.round)
	h.Int(a.sent)
	h.Int(a.first)
	h.Int(a.done)
	h.Instant(a.next)
	h.Flag(a.early)
}

// start begins a burst at now.
func (a *announcement) start(now clock.Instant, early bool) {
	*a = announcement{pace: a.pace, random: a.random, began: now, next: now, early: early}
}

func (a *announcement) stop() {
	*a = announcement{pace: a.pace, random: a.random, next: clock.Never}
}

// due returns the announcement to send now, with VIPs 0 if none is due. A late node sends
// each missed round at most once: rounds are repeated because frames get lost, not to catch
// up.
func (a *announcement) due(now clock.Instant) (out Announce) {
	if now < a.next {
		return out
	}
	if a.done == 0 {
		a.sent, a.round = a.sent+1, now
		if a.pace.VIPs > atOnce { // a port that drops the end of a round must not drop the same VIPs each time
			a.first = a.draw(a.pace.VIPs)
		}
	}
	fast := a.sent <= len(burst)
	out = Announce{Count: a.sent, First: (a.first + a.done) % a.pace.VIPs, VIPs: 1}
	if a.done == 0 && (fast || a.pace.VIPs <= atOnce) {
		out.VIPs = min(a.pace.VIPs, atOnce)
	}
	a.done += out.VIPs
	a.next = a.after(now, fast)
	return out
}

// after returns when the frame after the one at now is due.
func (a *announcement) after(now clock.Instant, fast bool) clock.Instant {
	if a.done < a.pace.VIPs {
		if fast {
			return now.Add(a.pace.Every)
		}
		return now.Add(a.slow())
	}
	a.done = 0
	switch {
	case a.sent == len(burst) && a.pace.VIPs > atOnce: // a policer may have dropped most of the burst
		return now.Add(a.pace.between(false))
	case a.sent < len(burst):
		return max(a.began.Add(burst[a.sent]), now.Add(a.pace.between(fast)))
	case now < a.began.Add(max(settled, settledRounds*a.pace.roundTime())):
		return max(a.round.Add(repeat), now.Add(a.pace.between(false)))
	}
	return max(a.round.Add(refresh), now.Add(a.pace.between(false)))
}

// slow draws the gap between two frames after the burst: up to a quarter longer than the
// rate requires, so that frames do not align with a policer's one-second window.
func (a *announcement) slow() time.Duration {
	least := time.Second / time.Duration(a.pace.Rate)
	return least + time.Duration(a.draw(int(least/4)+1))
}

// draw returns a number below n.
func (a *announcement) draw(n int) int { return int(a.random.Uint64() >> 1 % uint64(n)) }

// Pace sets the rate of gratuitous ARPs.
type Pace struct {
	VIPs  int           // number of VIPs; 0 means 1
	Every time.Duration // gap between two frames of the burst after the first atOnce; 0 means 1ms
	Rate  int           // maximum frames per second after the burst; 0 means 25
	Seed  uint64        // of the jitter
}

// Defaults of a Pace. Switches that police ARP pass 15 to 100 frames a second, or more.
const (
	DefaultAnnounceEvery = time.Millisecond
	DefaultAnnounceRate  = 25
)

// atOnce is how many VIPs may be announced together.
const atOnce = 8

func (p Pace) withDefaults() Pace {
	p.VIPs = max(p.VIPs, 1)
	if p.Every == 0 {
		p.Every = DefaultAnnounceEvery
	}
	if p.Rate == 0 {
		p.Rate = DefaultAnnounceRate
	}
	return p
}

// between is the time from the last frame of a round to the first frame of the next.
func (p Pace) between(fast bool) time.Duration {
	if fast || p.VIPs <= atOnce {
		return p.Every
	}
	return time.Second / time.Duration(p.Rate)
}

// roundTime is how long a round takes after the burst.
func (p Pace) roundTime() time.Duration {
	if p.VIPs <= atOnce {
		return 0
	}
	return time.Duration(p.VIPs) * time.Second / time.Duration(p.Rate)
}

// setVIPs changes the number of VIPs. New VIPs start a burst if this node is announcing.
func (n *Node) setVIPs(in VIPs) {
	n.announce.pace.VIPs = max(in.Count, 1)
	if in.New && n.announce.next != clock.Never {
		n.startAnnouncement()
	}
}

func (n *Node) startAnnouncement() {
	n.announce.start(n.now, n.role == ha.Claiming)
	n.advanceAnnouncement()
}

// advanceAnnouncement sends the frames that are due and traces the start of each round.
func (n *Node) advanceAnnouncement() {
	begins := n.announce.done == 0
	out := n.announce.due(n.now)
	if out.VIPs == 0 {
		return
	}
	n.emit(out)
	if begins {
		n.trace(trace.Event{Kind: trace.KindAnnounce, Announce: &trace.Announce{Count: out.Count}})
	}
}
