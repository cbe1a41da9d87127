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
	calm    bool          // the peer was heard as standby, and has been heard ever since
	said    bfd.Diag      // the last diagnostic sent to the peer
	retries int           // how many more packets repeat said if they do not leave
	told    clock.Instant // the latest instant passed to the session, which must not go back
	came    clock.Instant // receive time of the last accepted packet; earlier than told if the packet waited
	waited  clock.Instant // receive time of the last packet that was outdated when it was read
	sending sending
	// proven is the latest instant for which the peer has heard a packet that left then or
	// later.
	proven clock.Instant
	asks   bool // this node polls
	// polls: both nodes poll at all times, because they have an arbiter.
	polls bool
	// tells: the peer sends diagDoubt when it doubts, as nodes do since versionDoubts. A stream told its
	// version while the session was Up; that holds for as long as the session is.
	tells bool
}

func (p *path) fingerprint(h *fingerprint.Hash) {
	p.session.Fingerprint(h)
	h.Number(uint64(p.said))
	h.Int(p.retries)
	h.Flag(p.calm)
	h.Instant(p.came)
	h.Instant(p.waited)
	h.Flag(p.asks)
	h.Flag(p.tells)
	p.sending.fingerprint(h)
}

// clone copies the paths and their sessions.
func (ps paths) clone() paths {
	c := slices.Clone(ps)
	for i := range c {
		c[i].session = ps[i].session.Clone()
	}
	return c
}

// paths are all BFD paths to the peer.
type paths []path

// receive hands a packet to the session, with its receive time if that is known. The session
// counts dropped packets by reason. A dropped packet changes nothing here.
func (p *path) receive(now clock.Instant, packet Packet) {
	came := now
	if packet.At != 0 {
		came = min(now, packet.At)
	}
	if p.outdated(came) {
		p.noteWaited(came, packet)
		return
	}
	p.told = max(came, p.told)
	if p.session.Receive(p.told, packet.Data, packet.TTL) == nil {
		p.came = came
	}
	p.proven = max(p.proven, p.session.Acknowledged())
}

// learn takes from the version of the stream whether the peer sends diagDoubt.
func (p *path) learn(s *stream) {
	p.tells = p.session.State() == bfd.Up && (p.tells || s.up && s.version >= versionDoubts)
}

// outdated reports whether a packet waited for longer than a detection time and is read only after
// the session has learned of that time. A node that is paused between the read of its sockets and its timer
// has such packets. The session would take them for new: they say what the peer did before the pause.
func (p *path) outdated(came clock.Instant) bool {
	return p.told.Sub(came) > time.Duration(p.BFD.DetectMult)*p.BFD.DesiredMinTxInterval
}

// noteWaited records when an outdated packet came. A session that is not Up sends once a second, so
// without that packet the peer's next one would seem overdue. The packet counts for nothing else: the
// session does not learn of it.
func (p *path) noteWaited(came clock.Instant, packet Packet) {
	if p.session.State() == bfd.Up {
		return
	}
	judge := p.session.Clone()
	if judge.Receive(p.told, packet.Data, packet.TTL) == nil && judge.RemoteState() != bfd.AdminDown {
		p.waited = max(p.waited, came)
	}
}

// nextDue is when a peer whose session is not Up should have sent again.
func (p *path) nextDue() clock.Instant {
	return max(p.session.LastReceived(), p.waited).Add(bootListen)
}

// readLate reports whether the last packet on a path had waited for longer than a timer is late by ordinary scheduling.
func (ps paths) readLate() bool {
	for i := range ps {
		if ps[i].session.LastReceived().Sub(ps[i].came) > ps.noPause() {
			return true
		}
	}
	return false
}

// advance lets time pass in the session.
func (p *path) advance(now clock.Instant) {
	p.told = now
	p.session.Advance(now)
}

// withdraw tells the peer that this node leaves the path deliberately.
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

// allUp reports whether every BFD path to the peer is up.
func (ps paths) allUp() bool {
	for i := range ps {
		if ps[i].session.State() != bfd.Up {
			return false
		}
	}
	return len(ps) > 0
}

// silent reports whether the peer is not heard on any path. A peer that signals AdminDown on a
// path has withdrawn from it. It does so as its last act when it leaves.
func (ps paths) silent(now clock.Instant) bool {
	for i := range ps {
		if ps[i].heard() && !ps.outlived(i, now) {
			return false
		}
	}
	return true
}

// outlived reports whether the last packet on path i is older than the peer's last packet on a
// path that has since gone silent. A session that is not Up counts as heard for three seconds
// (RFC 5880 section 6.8.4 at the slow rate). If a later packet came on a path whose detection
// time has passed since, the slow path counts only until its next packet is overdue.
func (ps paths) outlived(i int, now clock.Instant) bool {
	s := ps[i].session
	if s.State() == bfd.Up || now < ps[i].nextDue() {
		return false
	}
	for j := range ps {
		if j != i && !ps[j].heard() && ps[j].session.LastReceived() > s.LastReceived() {
			return true
		}
	}
	return false
}

// overdueAt returns when a path heard at the slow rate may be outlived; Never if there is none.
func (ps paths) overdueAt() clock.Instant {
	at := clock.Never
	for i := range ps {
		if s := ps[i].session; ps[i].heard() && s.State() != bfd.Up {
			at = min(at, ps[i].nextDue())
		}
	}
	return at
}

// bothUp reports whether each node hears the other on the path. When a peer ceases to hear this
// node, this node's session stays Up for a detection time, while the peer's is in Init.
func (p *path) bothUp() bool {
	return p.session.State() == bfd.Up && p.session.RemoteState() == bfd.Up
}

// heard reports whether the peer is heard on the path and has not withdrawn from it.
func (p *path) heard() bool { return p.session.Heard() && p.session.RemoteState() != bfd.AdminDown }

// longestDetection is the detection time of the slowest path. A session that is not Up counts with its
// configured intervals: its slow rate says nothing about when a path judges silence.
func (ps paths) longestDetection() time.Duration {
	longest := time.Duration(0)
	for i := range ps {
		cfg, s := &ps[i].BFD, ps[i].session
		detection := time.Duration(cfg.DetectMult) * max(cfg.DesiredMinTxInterval, cfg.RequiredMinRxInterval)
		if s.State() == bfd.Up {
			detection = s.DetectionTime()
		}
		longest = max(longest, detection)
	}
	return longest
}

// noPause is how late a timer may be by ordinary scheduling: the share of the detection time that a lease
// leaves, on the path that judges silence first.
func (ps paths) noPause() time.Duration {
	detection := ps.lonelyDetection()
	return detection - leaseLength(detection)
}

// sending records when packets left on a path. A packet counts as sent unless SendFailed
// follows. After a failure, a packet counts only once the next Step shows that no SendFailed
// came.
type sending struct {
	last    clock.Instant // time of the last packet that left
	before  clock.Instant // time of the last packet before that instant
	tried   clock.Instant // time of the last packet since the failure
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

// sent records packets that are handed out.
func (s *sending) sent(now clock.Instant) {
	switch {
	case s.failing:
		s.tried, s.refused = now, false
	case s.last != now:
		s.last, s.before = now, s.last
	}
}

// fail records that the packet handed out last did not leave.
func (s *sending) fail(why string) {
	if !s.failing {
		s.last = s.before
	}
	s.failing, s.refused, s.why = true, true, why
}

// confirm records that no failure was reported for the packets handed out last.
func (s *sending) confirm() {
	if s.failing && !s.refused {
		s.last, s.failing = s.tried, false
	}
}

// confirm records that the packets of the Step before have left.
func (ps paths) confirm() {
	for i := range ps {
		ps[i].sending.confirm()
	}
}

// footing returns what the packets sent on all paths that are Up justify. A path on which
// packets do not leave is ignored as long as they leave on another.
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
	if !f.lonely && ps.unheard(now) {
		f.doubted = now
	}
	switch {
	case f.lonely:
		f.length = leaseLength(ps.lonelyDetection())
		f.until = now.Add(f.length)
	case f.until == clock.Never:
		f.until = failed
	}
	return f
}

// unsent returns why the peer no longer hears this node while this node hears the peer: no
// packet has left on any path for longer than a lease. It returns "" if packets leave or the
// peer is not heard.
func (ps paths) unsent(now clock.Instant) string {
	for i := range ps {
		if s := &ps[i].sending; s.failing && ps[i].session.State() == bfd.Up && ps.footing(now).until <= now {
			return s.why
		}
	}
	return ""
}

// lonelyDetection is the time in which a peer with this configuration would detect this node's
// failure: the shortest of all paths.
func (ps paths) lonelyDetection() time.Duration {
	shortest := time.Duration(clock.Never)
	for i := range ps {
		cfg := &ps[i].BFD
		shortest = min(shortest, time.Duration(cfg.DetectMult)*cfg.DesiredMinTxInterval)
	}
	return shortest
}

// streamDetection is how long a stream between nodes with these intervals may be silent. It is
// one interval shorter than a session's detection time, so that the stream detects a crash no
// later than BFD.
func (ps paths) streamDetection() time.Duration {
	longest := time.Duration(0)
	for i := range ps {
		intervals := max(ps[i].BFD.DetectMult, 2) - 1
		longest = max(longest, time.Duration(intervals)*ps[i].BFD.DesiredMinTxInterval)
	}
	return longest
}

// syncUp reports whether the path of the sync stream is Up.
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
	n.paths[p.Path].learn(&n.stream)
	n.peer.met = n.peer.met || !n.paths.silent(n.now)
	n.pumpPath(p.Path)
	n.renewLease()
}

// pumpPath turns a session's output into effects.
func (n *Node) pumpPath(i int) {
	p := &n.paths[i]
	ready := p.session.Ready()
	for _, packet := range ready.Packets {
		n.emitBFD(i, packet)
	}
	if len(ready.Packets) > 0 {
		if p.session.State() != bfd.Up {
			p.retries = sayRetries // the next packet is a second away
		}
		p.sending.sent(n.now)
		n.renewLease()
	}
	for _, change := range ready.Changes {
		n.traceBFD(p, change)
		n.pathChanged(p, change)
	}
}

// sendFailed withdraws the justification of a packet that did not leave. A packet that signals
// this node's condition is sent again, because a peer that waits for its turn to claim would
// judge by the old condition. A packet of a session that is not Up is sent again too, because a
// peer that hears nothing else would consider the next one overdue.
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

// pathChanged handles a state change of one session.
func (n *Node) pathChanged(p *path, change bfd.Change) {
	switch {
	case change.To == bfd.Up:
		p.presume()
		n.awake = min(n.awake, n.now) // from here on the detection time judges silence
	case change.From != bfd.Up:
	case p.CarriesSync && (n.stream.version < versionKeepalive || !n.streamLive()):
		n.resetStream("BFD path " + p.Name + " is down")
	}
}

// noteLateness keeps a node that was paused from mistaking its own pause for the peer's
// silence: packets may still wait in a socket. Before the node concludes anything, it must listen as
// long as the pause was. After a pause of more than a detection time it must listen for bootListen: a
// peer whose session is not Up sends once a second. The listening times of several pauses add up.
func (n *Node) noteLateness(late time.Duration) {
	noPause := n.paths.noPause()
	if late <= noPause {
		n.listening.over = n.listening.over || n.now >= n.awake
		return
	}
	n.paused = n.now
	listen, long := late, late > n.paths.lonelyDetection()
	if long { // the peer may have declared this node down and claimed
		listen = max(n.paths.longestDetection(), bootListen)
		n.arbitration.machine.Forget(n.now)
	}
	n.awake = max(n.awake, n.now.Add(n.listening.paused(n.now, late, n.lastHeard(), listen, noPause)))
	n.stream.paused(n.now.Add(-late), n.awake, n.now.Add(noPause), n.peer.state.Detect)
	// While it listens after a long pause, a claiming node says that it stands by. Then the claim
	// signals its notice again. A running peer hears that it began to serve without hearing
	// it, and the lease of a frozen peer ends in that time.
	if long {
		n.install.resume(n.awake, n.awake.Add(n.paths.lonelyDetection()))
	} else {
		n.install.resume(0, max(n.awake, n.now))
	}
	n.peer.confirm = n.stream.seq + 1
	n.tell(true)
}

// listenWait returns when a node that listens to a silent peer next needs a Timer. The interval
// is short, because only a late Timer reveals a pause.
func (n *Node) listenWait() clock.Instant {
	if n.now >= n.awake || !n.silent() {
		return clock.Never
	}
	return min(n.awake, n.now.Add(n.paths.noPause()))
}

// heardFor returns how long a share of the detection time lasts since the peer was last heard, on any
// path that is Up.
func (ps paths) heardFor(share float64) (until clock.Instant) {
	for i := range ps {
		if p := &ps[i]; p.session.State() == bfd.Up {
			until = max(until, p.came.Add(time.Duration(share*float64(p.session.DetectionTime()))))
		}
	}
	return until
}

// lastHeard is when the peer was last heard, on any path or on the stream.
func (n *Node) lastHeard() clock.Instant {
	last := n.stream.heard
	for i := range n.paths {
		last = max(last, n.paths[i].session.LastReceived())
	}
	return last
}

// listened reports whether this node has listened long enough to judge silence. A peer that was
// never heard may not hear this node, and such a peer sends rarely.
func (n *Node) listened() bool {
	return n.now >= n.awake && (n.peer.met || n.now >= n.booted.Add(bootListen))
}
