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

// Preempt says how a node of higher priority treats a live MASTER.
type Preempt uint8

const (
	// PreemptNever: a live MASTER keeps its role.
	PreemptNever Preempt = iota
	// PreemptAfterSync: once in sync, the preferred node asks for a handover.
	PreemptAfterSync
	// PreemptImmediate: the preferred node seizes the role. Unsafe: it reproduces the
	// historical bug.
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
	// CarriesSync marks the path that carries the sync stream. When its session goes down, the
	// stream is reset without waiting for TCP's timeouts.
	CarriesSync bool
}

// Config is a node's configuration.
type Config struct {
	ID, Peer string
	Priority uint8 // higher is preferred
	// Incarnation identifies this run of the process. It is larger than those of earlier runs.
	Incarnation uint64
	Paths       []Path
	Links       []string      // the service links, whose carrier LinksUp needs
	Track       Track         // the hosts that Reachable requires; may be empty
	Hold        time.Duration // the recovery delay
	Preempt     Preempt
	Sync        ctsync.Config
	Announce    Pace    // of gratuitous ARPs
	Arbiter     Arbiter // on both nodes or on none
	// Defer is the longest time that a reply which establishes a flow waits for the peer to
	// acknowledge the flow; 0 if the dataplane does not defer replies.
	Defer time.Duration
	// Adopted is the stored pedigree of the table that the dataplane has from the process
	// before; nil if its table is empty.
	Adopted *flow.Pedigree
	// Scrub turns scrubbing on: see scrub.go.
	Scrub bool

	// GatesOff skips HoldDown and InSync, chooses a backend by guess for a mid-flow segment
	// without an entry, and offers a MASTER no flows. Unsafe: it reproduces the historical bug.
	GatesOff bool
	// AnnounceEarly announces before the table is installed and the lease taken. Unsafe.
	AnnounceEarly bool
}

// Limits that do not depend on a negotiated value.
const (
	// yieldLimit is how long a handover may take before the MASTER takes the role back.
	yieldLimit = time.Second
	// grantLimit is how long a grant stays valid if the node cannot act on it at once.
	grantLimit = time.Second
	// staleAfter is how long a table counts as in sync after the last frame from the live
	// MASTER.
	staleAfter = time.Second
	// ownTableLife is how long the table of a node that led stays complete while its peer
	// serves without that table: about as long as clients retransmit.
	ownTableLife = 30 * time.Second
	// unreachableLimit is how long a MASTER without its targets keeps the role if it cannot
	// hand the role over in order.
	unreachableLimit = 2 * time.Second
	// noticeTime is how long before forwarding a node that claims without the peer's word
	// signals the claim by BFD. It is longer than the transit time of a packet, so a MASTER
	// that still hears this node has stopped by then.
	noticeTime = 2 * time.Millisecond
	// installLimit is how long a claim waits until the last received changes are applied.
	installLimit = 500 * time.Millisecond
	// muteLimit is how long a stream is kept on which the peer sends nothing.
	muteLimit = 2 * time.Second
	// bootListen is how long a booted node listens before it takes silence for a dead peer. It
	// is also how long a peer's "standby" counts: a peer that does not hear this node sends
	// once a second (RFC 5880 section 6.8.3).
	bootListen = 1100 * time.Millisecond
	// hearLimit is how long two nodes that hear each other again may take to bring a session
	// Up. Sessions that are not Up send once a second (RFC 5880 section 6.8.3), each node has
	// to hear the other, and one packet may be lost.
	hearLimit = 3 * time.Second
	// readRetry is how long after a failed read the dataplane is read again. It doubles with
	// each failure, up to rereadPause.
	readRetry = 20 * time.Millisecond
	// rereadPause is how long after a refused write the dataplane is read again.
	rereadPause = time.Second
	// leaveLimit is how long a stopping node waits to hear its peer call itself MASTER.
	leaveLimit = 500 * time.Millisecond
)

// burst lists when the gratuitous ARPs of an announcement are sent, counted from its start:
// five within a second, most of them early, because each lost one prolongs the outage until
// the next.
var burst = []time.Duration{0, 50 * time.Millisecond, 150 * time.Millisecond, 400 * time.Millisecond, time.Second}

// After the burst, gratuitous ARPs are sent every repeat until settled is over, because one
// link may have lost the whole burst, and every refresh from then on. Many VIPs get at least
// settledRounds rounds at the shorter interval.
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
	case c.Arbiter.Gateway.Name != "" && c.Arbiter.Validity > 0:
		return errors.New("node: two arbiters: a store and a gateway")
	case c.Arbiter.Gateway.Name != "" && (c.Arbiter.Gateway.Rise < 1 || c.Arbiter.Gateway.Fall < 1):
		return fmt.Errorf("node: the gateway rises after %d probes and falls after %d: at least 1", c.Arbiter.Gateway.Rise, c.Arbiter.Gateway.Fall)
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

// New returns a node that has booted at now. It is in Init. Its links are down and its
// dataplane is not ready until inputs report otherwise.
func New(cfg Config, now clock.Instant) (*Node, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, links: newLinks(cfg.Links), targets: newTracker(cfg.Track), gateway: newGateway(cfg.Arbiter.Gateway)}
	for _, p := range cfg.Paths {
		p.BFD.ForgetsWithdrawn = true
		session, err := bfd.New(p.BFD, now)
		if err != nil {
			return nil, fmt.Errorf("node: path %s: %w", p.Name, err)
		}
		n.paths = append(n.paths, path{Path: p, session: session, said: neverSaid, polls: cfg.Arbiter.Validity > 0})
	}
	cfg.Sync.Incarnation, cfg.Sync.Withhold = cfg.Incarnation, cfg.GatesOff
	n.announce.pace, n.announce.random = cfg.Announce.withDefaults(), *rand.NewPCG(cfg.Announce.Seed, 0)
	n.sync = ctsync.New(cfg.Sync)
	n.boot(now)
	return n, nil
}
