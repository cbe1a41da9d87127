package node

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"baton/impl/bfd"
	"baton/impl/clock"
	"baton/impl/ctsync"
	"baton/impl/flow"
)

// Preempt says what a node of higher priority does about a live MASTER.
type Preempt uint8

const (
	// PreemptNever: a live MASTER keeps its role.
	PreemptNever Preempt = iota
	// PreemptAfterSync: once in sync, the preferred node asks for a handover.
	PreemptAfterSync
	// PreemptImmediate: the preferred node seizes the role. Unsafe: it exists to
	// show the historical bug.
	PreemptImmediate
)

var preemptNames = []string{"never", "after-sync", "immediate"}

func (p Preempt) String() string {
	if int(p) < len(preemptNames) {
		return preemptNames[p]
	}
	return fmt.Sprintf("preempt%d", uint8(p))
}

// Path is one BFD path to the peer.
type Path struct {
	Name string
	BFD  bfd.Config
	// CarriesSync marks the path that the sync stream runs over: when its session
	// goes down the stream is reset rather than left to TCP's timeouts.
	CarriesSync bool
}

// Config is all that a node knows from the outside.
type Config struct {
	ID, Peer string
	Priority uint8 // higher is preferred
	// Incarnation identifies this run of the process; larger than those before it.
	Incarnation uint64
	Paths       []Path
	Links       []string      // the service links, whose carrier LinksUp needs
	Track       Track         // the hosts that Reachable needs; none if it is empty
	Hold        time.Duration // the recovery delay
	Preempt     Preempt
	Sync        ctsync.Config
	Announce    Pace    // of gratuitous ARPs
	Arbiter     Arbiter // of both nodes or of none
	// Defer is how long a reply that tells a client that its flow is established waits for the
	// peer to acknowledge the flow, at most; 0 where the dataplane does not defer replies.
	Defer time.Duration
	// Adopted is what is known of the table that the dataplane has from the process
	// before; nil where its table is empty.
	Adopted *flow.Pedigree
	// Scrub has the tables scrubbed: see scrub.go.
	Scrub bool

	// GatesOff leaves out HoldDown and InSync, and guesses where a mid-flow segment
	// without an entry belongs. Unsafe: it is the historical bug.
	GatesOff bool
	// AnnounceEarly announces before the table is installed and the lease taken. Unsafe.
	AnnounceEarly bool
}

// Delays that derive from no negotiated value.
const (
	// yieldLimit is how long a handover may take before the role is taken back.
	yieldLimit = time.Second
	// grantLimit is how long a grant stays good that could not be acted upon at once.
	grantLimit = time.Second
	// staleAfter is how long a table counts as in sync after the live MASTER was heard
	// last on the stream.
	staleAfter = time.Second
	// ownTableLife is how long the table of a node that led stays complete while its
	// peer serves without having it: for about as long as clients retransmit.
	ownTableLife = 30 * time.Second
	// unreachableLimit is how long a MASTER keeps the role without its targets while
	// the role cannot be handed over in order.
	unreachableLimit = 2 * time.Second
	// noticeTime is how long a node that claims without the peer's word has said so by
	// BFD before it forwards. It is longer than a packet takes between the nodes, so
	// that a MASTER that still hears this node has stopped by then.
	noticeTime = 2 * time.Millisecond
	// installLimit is how long a claim waits for what was received last to take hold.
	installLimit = 500 * time.Millisecond
	// muteLimit is how long a stream stands on which the peer says nothing.
	muteLimit = 2 * time.Second
	// bootListen is how long a node that has booted listens before it takes silence for
	// that of a dead peer, and how long the word of a peer counts that stands by: one that
	// does not hear this node sends once a second (RFC 5880 section 6.8.3).
	bootListen = 1100 * time.Millisecond
	// hearLimit is how long two nodes that hear each other again may take to bring a
	// session Up: sessions that are not Up send once a second (RFC 5880 section
	// 6.8.3), each has to hear the other, and one packet may be lost.
	hearLimit = 3 * time.Second
	// readRetry is how long after a failed read the dataplane is read again. It doubles
	// with each failure, up to rereadPause.
	readRetry = 20 * time.Millisecond
	// rereadPause is how long after a refused write the dataplane is read anew.
	rereadPause = time.Second
	// leaveLimit is how long a stopping node waits to hear its peer call itself MASTER.
	leaveLimit = 500 * time.Millisecond
)

// burst is when the gratuitous ARPs of one announcement leave, after its
// beginning: five over a second, the most of them early, because one that is lost
// costs an outage until the next.
var burst = []time.Duration{0, 50 * time.Millisecond, 150 * time.Millisecond, 400 * time.Millisecond, time.Second}

// After the burst, gratuitous ARPs leave every repeat until settled is over, for one
// link may have lost all of the burst, and every refresh from then on. Many VIPs get at
// least settledRounds of these.
const (
	repeat        = time.Second
	settled       = 10 * time.Second
	settledRounds = 20
	refresh       = 10 * time.Second
)

func (c Config) validate() error {
	switch {
	case c.ID == "" || len(c.ID) > maxID:
		return fmt.Errorf("node: id %q: length %d is not 1 to %d", c.ID, len(c.ID), maxID)
	case c.ID == c.Peer:
		return fmt.Errorf("node: id and peer are both %q", c.ID)
	case len(c.Paths) == 0:
		return errors.New("node: no BFD path to the peer: a node that cannot hear its peer must not judge it")
	case len(c.Track.Targets) > 0 && c.Track.Misses < 1:
		return fmt.Errorf("node: a target is lost after %d probes: at least 1", c.Track.Misses)
	case c.Defer < 0:
		return fmt.Errorf("node: replies wait for %v", c.Defer)
	case c.Arbiter.Policy > KeepServing:
		return fmt.Errorf("node: unknown policy %d of the arbiter", c.Arbiter.Policy)
	case c.Hold < 0:
		return fmt.Errorf("node: hold %v is negative", c.Hold)
	case c.Announce.Every < 0 || c.Announce.Rate < 0 || c.Announce.VIPs < 0:
		return fmt.Errorf("node: announcements of %d VIPs every %v and %d a second", c.Announce.VIPs, c.Announce.Every, c.Announce.Rate)
	case c.Preempt > PreemptImmediate:
		return fmt.Errorf("node: unknown preemption %d", c.Preempt)
	}
	return nil
}

// New returns a node that has booted at now. It is in Init, with its links down
// and its dataplane not ready until inputs say otherwise.
func New(cfg Config, now clock.Instant) (*Node, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, links: newLinks(cfg.Links), targets: newTracker(cfg.Track)}
	for _, p := range cfg.Paths {
		session, err := bfd.New(p.BFD, now)
		if err != nil {
			return nil, fmt.Errorf("node: path %s: %w", p.Name, err)
		}
		n.paths = append(n.paths, path{Path: p, session: session, said: neverSaid})
	}
	cfg.Sync.Incarnation = cfg.Incarnation
	n.announce.pace, n.announce.random = cfg.Announce.withDefaults(), *rand.NewPCG(cfg.Announce.Seed, 0)
	n.sync = ctsync.New(cfg.Sync)
	n.boot(now)
	return n, nil
}
