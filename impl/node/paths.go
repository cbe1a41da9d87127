package node

import (
	"slices"
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/fingerprint"
)

// path is one BFD path with its session.
type path struct {
	Path
	session *bfd.Session
	calm    bool          // the peer was heard to stand by, and has been heard ever since
	said    bfd.Diag      // what the peer was told of this node last
	retries int           // how often more that is sent, if it does not leave
	told    clock.Instant // the latest instant that the session knows of, which must not go back
	came    clock.Instant // when the last packet did that the session accepted: it may have waited for longer than told
	sending sending
	// proven is the latest instant for which this holds: the peer has heard a packet that
	// left then or later.
	proven clock.Instant
}

func (p *path) fingerprint(h *fingerprint.Hash) {
	p.session.Fingerprint(h)
	h.Number(uint64(p.said))
	h.Int(p.retries)
	h.Flag(p.calm)
	h.Instant(p.came)
	p.sending.fingerprint(h)
}

// clone copies the paths with their sessions.
func (ps paths) clone() paths {
	c := slices.Clone(ps)
	for i := range c {
		c[i].session = ps[i].session.Clone()
	}
	return c
}

// paths are all BFD paths to the peer.
type paths []path

// receive hands a packet to the session, as of when it came where that is known. The
// session counts what it drops, by reason; a dropped packet changes nothing here.
func (p *path) receive(now clock.Instant, packet Packet) {
	came := now
	if packet.At != 0 {
		came = min(now, packet.At)
	}
	p.told = max(came, p.told)
	if p.session.Receive(p.told, packet.Data, packet.TTL) == nil {
		p.came = came
	}
	p.proven = max(p.proven, p.session.Acknowledged())
}

// advance lets time pass in the session.
func (p *path) advance(now clock.Instant) {
	p.told = now
	p.session.Advance(now)
}

// withdraw tells the peer that this node leaves the path of its own will.
func (p *path) withdraw(now clock.Instant) {
	p.told = now
	p.session.SetAdminDown(now, true)
}

// anyUp reports whether a BFD path to the peer is up.
func (ps paths) anyUp() bool {
	for i := range ps {
		if ps[i].session.State() == bfd.Up {
			return true
		}
	}
	return false
}

// silent reports whether nothing is heard of the peer on any path. A peer that
// signals AdminDown on a path has withdrawn from it: it does so last of all, when
// it leaves.
func (ps paths) silent(now clock.Instant) bool {
	for i := range ps {
		if ps[i].heard() && !ps.outlived(i, now) {
			return false
		}
	}
	return true
}

// withdrawn reports whether the peer has said on a path that it leaves.
func (ps paths) withdrawn() bool {
	for i := range ps {
		if ps[i].session.RemoteState() == bfd.AdminDown {
			return true
		}
	}
	return false
}

// outlived reports whether what is heard on a path is older than what the peer said last.
// A session that is not Up counts as heard for three seconds (RFC 5880 section 6.8.4 at the
// slow rate). Where the peer was heard later on a path that has been silent for its
// detection time since, the slow path counts until its next packet is overdue.
func (ps paths) outlived(i int, now clock.Instant) bool {
	s := ps[i].session
	if s.State() == bfd.Up || now < s.LastReceived().Add(bootListen) {
		return false
	}
	for j := range ps {
		if j != i && !ps[j].heard() && ps[j].session.LastReceived() > s.LastReceived() {
			return true
		}
	}
	return false
}

// overdueAt is when a path that is heard at the slow rate may be outlived, Never where none is.
func (ps paths) overdueAt() clock.Instant {
	at := clock.Never
	for i := range ps {
		if s := ps[i].session; ps[i].heard() && s.State() != bfd.Up {
			at = min(at, s.LastReceived().Add(bootListen))
		}
	}
	return at
}

// bothUp reports whether each node hears the other on the path. A peer that has ceased to
// hear this node stays in Init for its detection time, and this node's session Up.
func (p *path) bothUp() bool {
	return p.session.State() == bfd.Up && p.session.RemoteState() == bfd.Up
}

// heard reports whether the peer is heard on the path, and has not withdrawn from it.
func (p *path) heard() bool { return p.session.Heard() && p.session.RemoteState() != bfd.AdminDown }

// longestDetection is the detection time of the slowest path.
func (ps paths) longestDetection() time.Duration {
	longest := time.Duration(0)
	for i := range ps {
		longest = max(longest, ps[i].session.DetectionTime())
	}
	return longest
}

// sending is when packets left on a path. Each is taken to have left unless SendFailed
// follows; after a failure, only once the next Step shows that it does not.
type sending struct {
	last    clock.Instant // of the last packet that left
	before  clock.Instant // of the last one from before that
	tried   clock.Instant // of the last packet since the failure
	failing bool
	refused bool // the last packet did not leave
	why     string
}

func (s *sending) fingerprint(h *fingerprint.Hash) {
	h.Instant(s.last)
	h.Instant(s.before)
	h.Instant(s.tried)
	h.Flag(s.failing)
	h.Flag(s.refused)
}

// sent notes packets that are handed out.
func (s *sending) sent(now clock.Instant) {
	switch {
	case s.failing:
		s.tried, s.refused = now, false
	case s.last != now:
		s.last, s.before = now, s.last
	}
}

// fail notes that a packet handed out last did not leave.
func (s *sending) fail(why string) {
	if !s.failing {
		s.last = s.before
	}
	s.failing, s.refused, s.why = true, true, why
}

// confirm notes that no failure of the packets handed out last has been told.
func (s *sending) confirm() {
	if s.failing && !s.refused {
		s.last, s.failing = s.tried, false
	}
}

// confirm notes that what was sent by the Step before has left.
func (ps paths) confirm() {
	for i := range ps {
		ps[i].sending.confirm()
	}
}

// footing is what the packets sent so far justify: those on every path that is up. A
// path on which packets do not leave is left out as long as they leave on another.
func (ps paths) footing(now clock.Instant) footing {
	f := footing{until: clock.Never, proof: ps.proof(), lonely: true}
	failed := clock.Instant(0)
	for i := range ps {
		p := &ps[i]
		if p.session.State() != bfd.Up {
			continue
		}
		f.lonely = false
		until := p.sending.last.Add(leaseLength(time.Duration(p.BFD.DetectMult) * p.session.TransmitInterval()))
		if p.sending.failing {
			failed = max(failed, until)
		} else {
			f.until = min(f.until, until)
		}
	}
	f.doubted = f.doubted || !f.lonely && ps.unheard(now)
	switch {
	case f.lonely:
		f.length = leaseLength(ps.lonelyDetection())
		f.until = now.Add(f.length)
	case f.until == clock.Never:
		f.until = failed
	}
	return f
}

// unsent says why this node is no longer heard although it hears its peer, "" if it is
// heard or hears nobody: packets have not left on any path for longer than a lease.
func (ps paths) unsent(now clock.Instant) string {
	for i := range ps {
		if s := &ps[i].sending; s.failing && ps[i].session.State() == bfd.Up && ps.footing(now).until <= now {
			return s.why
		}
	}
	return ""
}

// lonelyDetection is what a peer would take to detect this node by its configuration: the
// shortest of all paths.
func (ps paths) lonelyDetection() time.Duration {
	shortest := time.Duration(clock.Never)
	for i := range ps {
		cfg := &ps[i].BFD
		shortest = min(shortest, time.Duration(cfg.DetectMult)*cfg.DesiredMinTxInterval)
	}
	return shortest
}

// streamDetection is how long the stream of a node with these intervals may be silent:
// for one interval less than a session, so that a crash is detected no later than by BFD.
func (ps paths) streamDetection() time.Duration {
	longest := time.Duration(0)
	for i := range ps {
		intervals := max(ps[i].BFD.DetectMult, 2) - 1
		longest = max(longest, time.Duration(intervals)*ps[i].BFD.DesiredMinTxInterval)
	}
	return longest
}

// syncUp reports whether the path of the sync stream is up.
func (ps paths) syncUp() bool {
	for i := range ps {
		if ps[i].CarriesSync && ps[i].session.State() == bfd.Up {
			return true
		}
	}
	return false
}

// deadline returns when a session next needs a Timer.
func (ps paths) deadline() clock.Instant {
	deadline := clock.Never
	for i := range ps {
		deadline = min(deadline, ps[i].session.Deadline())
	}
	return deadline
}

func (n *Node) receivePacket(p Packet) {
	if p.Path < 0 || p.Path >= len(n.paths) {
		return
	}
	n.paths[p.Path].receive(n.now, p)
	n.peer.met = n.peer.met || !n.paths.silent(n.now)
	n.pumpPath(p.Path)
	n.renewLease()
}

// pumpPath turns what a session wants into effects.
func (n *Node) pumpPath(i int) {
	p := &n.paths[i]
	ready := p.session.Ready()
	for _, packet := range ready.Packets {
		n.emitBFD(i, packet)
	}
	if len(ready.Packets) > 0 {
		if p.session.State() != bfd.Up {
			p.retries = sayRetries // the next one is a second away
		}
		p.sending.sent(n.now)
		n.renewLease()
	}
	for _, change := range ready.Changes {
		n.traceBFD(p, change)
		n.pathChanged(p, change)
	}
}

// sendFailed takes back what a packet that did not leave was taken to justify. One that
// was to tell this node's condition is sent again: a peer that waits for its turn to claim
// would else go by what this node said before. So is one of a session that is not Up: a
// peer that hears nothing else would take the next one for overdue.
func (n *Node) sendFailed(in SendFailed) {
	if in.Path < 0 || in.Path >= len(n.paths) {
		return
	}
	p := &n.paths[in.Path]
	p.sending.fail(in.Err)
	if left := p.retries - 1; left >= 0 {
		p.session.NotSent(n.now)
		n.pumpPath(in.Path)
		p.retries = left
	}
}

// pathChanged draws the conclusions of one session's change.
func (n *Node) pathChanged(p *path, change bfd.Change) {
	switch {
	case change.To == bfd.Up:
		if !n.arbitration.binds() {
			p.presume()
		}
		n.awake = min(n.awake, n.now) // from here on silence is what its detection says
	case change.From != bfd.Up:
	case p.CarriesSync && (n.stream.version < versionKeepalive || !n.streamLive()):
		n.resetStream("BFD path " + p.Name + " is down")
	}
}

// noteLateness keeps a node that was paused from taking its own silence for the
// peer's: what it did not hear meanwhile may still wait in a socket. Before it may
// conclude anything, it must listen for as long as it was late, but no longer than
// a detection time, or than a peer takes whose session is not Up; in all, where it is paused
// again meanwhile. What a scheduler takes on any day, up to the share of the detection time
// that a lease leaves, is no pause.
func (n *Node) noteLateness(late time.Duration) {
	longest := n.paths.longestDetection()
	noPause := longest - leaseLength(longest)
	if late <= noPause {
		n.listening.over = n.listening.over || n.now >= n.awake
		return
	}
	n.paused = n.now
	listen, notice := min(late, longest), time.Duration(0)
	if late > longest { // the peer may have declared this node down, and have claimed
		listen, notice = max(longest, bootListen), n.paths.lonelyDetection()
		n.arbitration.machine.Forget(n.now)
	}
	n.awake = max(n.awake, n.now.Add(n.listening.paused(n.now, late, n.lastHeard(), listen, noPause)))
	// A claim gives notice once more: a peer that runs hears it, and the lease of one that
	// stands still ends in that time.
	n.install.resume(max(n.awake, n.now.Add(notice)))
	n.peer.confirm = n.stream.seq + 1
	n.tell(true)
}

// listenWait returns when a node that listens to a silent peer next needs a Timer: often, for
// a pause is seen by a Timer that is late alone.
func (n *Node) listenWait() clock.Instant {
	if n.now >= n.awake || !n.silent() {
		return clock.Never
	}
	longest := n.paths.longestDetection()
	return min(n.awake, n.now.Add(longest-leaseLength(longest)))
}

// lastHeard is when the peer was heard last, on any path or on the stream.
func (n *Node) lastHeard() clock.Instant {
	last := n.stream.heard
	for i := range n.paths {
		last = max(last, n.paths[i].session.LastReceived())
	}
	return last
}

// listened reports whether this node has listened for long enough to take silence for the
// peer's: a peer that was never heard may be one that does not hear this node, and
// sends seldom.
func (n *Node) listened() bool {
	return n.now >= n.awake && (n.peer.met || n.now >= n.booted.Add(bootListen))
}
