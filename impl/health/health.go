// Package health decides which backends of a service get new flows, by the results of their
// probes and by an operator's drains. A Pool is the state machine of one service. It is
// pure: its caller, the daemon or the simulator, runs the probes, writes the service's
// backends, and reads the clock.
package health

import (
	"fmt"
	"net/netip"
	"time"

	"baton/impl/clock"
)

// Check is how often a backend is probed and how many results change its state.
type Check struct {
	Interval time.Duration // between two probes of a backend; 0 means never probed and always up
	Timeout  time.Duration // after which a probe has failed: at most half of Interval
	Rise     int           // consecutive answers that bring a backend up
	Fall     int           // consecutive failures that take it down
	// Jitter is the percentage by which an interval may be shorter, so that the probes of
	// many nodes do not coincide. It never lengthens an interval.
	Jitter int
	// SlowStart is how long a backend that came up gets less than its share.
	SlowStart time.Duration
}

// Limit returns how long at most a dead backend still gets new flows.
func (c Check) Limit() time.Duration {
	limit := time.Duration(c.Fall) * c.Interval
	if c.Fall == 1 {
		limit += c.Timeout
	}
	return limit
}

// Backend is a configured backend.
type Backend struct {
	Addr   netip.AddrPort
	Weight int // its share relative to the others; at least 1
}

// Config is the configuration of a Pool.
type Config struct {
	Check    Check
	Backends []Backend
}

// State is the state of a backend.
type State uint8

const (
	Up       State = iota + 1
	Starting       // up, with less than its share
	Down
	Draining // gets no new flows, until its deadline and after it
	Drained  // after the deadline of its drain, or dead before it
)

var stateNames = [...]string{Up: "up", Starting: "starting", Down: "down", Draining: "draining", Drained: "drained"}

// States lists all states.
func States() []State { return []State{Up, Starting, Down, Draining, Drained} }

func (s State) String() string {
	if int(s) < len(stateNames) && stateNames[s] != "" {
		return stateNames[s]
	}
	return fmt.Sprintf("state%d", uint8(s))
}

// Serves reports whether a backend in this state gets new flows.
func (s State) Serves() bool { return s == Up || s == Starting }

// Input is an event for a pool. Exactly the types below implement it.
type Input interface{ input() }

type (
	// Timer means that the instant of Deadline has come.
	Timer struct{}

	// Result is the result of the probe with that ID.
	Result struct {
		ID        uint64
		Err       string // why it failed, "" if it was answered
		Undecided bool   // it shows neither: the results before it stay in a row with those after it
	}

	// Drain stops new flows to a backend. Its deadline is For later.
	Drain struct {
		Backend netip.AddrPort
		For     time.Duration
	}

	// Ready cancels a drain.
	Ready struct{ Backend netip.AddrPort }

	// Configure replaces the configuration. A backend that stays keeps its state.
	Configure struct{ Config Config }

	// Follow makes the pool follow another pool's decisions, until Lead.
	Follow struct{ Decisions []Decision }

	// Lead makes the pool decide by itself, as a new one does.
	Lead struct{}
)

func (Timer) input()     {}
func (Result) input()    {}
func (Drain) input()     {}
func (Ready) input()     {}
func (Configure) input() {}
func (Follow) input()    {}
func (Lead) input()      {}

// Effect is a request of a pool. Exactly the types below implement it.
type Effect interface{ effect() }

type (
	// Probe requests one probe of a backend. Result answers it, always: that a backend has not
	// answered within Check.Timeout is for the prober to say, which alone knows whether it was
	// late itself.
	Probe struct {
		ID      uint64
		Backend netip.AddrPort
	}

	// Write requests that new flows be shared as Shares says.
	Write struct{}

	// Decided requests that Decisions be sent to the node that follows.
	Decided struct{}

	// Change reports that a backend has changed its state.
	Change struct {
		Backend  netip.AddrPort
		From, To State
		Why      string
	}
)

func (Probe) effect()   {}
func (Write) effect()   {}
func (Decided) effect() {}
func (Change) effect()  {}

// Status is the state of one backend, for display.
type Status struct {
	Backend netip.AddrPort
	State   State
	Weight  int
	Why     string        // the reason for its state, or its last failure
	Since   time.Duration // for how long it has been in its state
	Left    time.Duration // to the deadline of its drain
	Failed  uint64        // probes that failed
	Probed  uint64        // probes that have ended
	// Undecided are the probes that have ended and shown nothing.
	Undecided uint64
	// Follows means that another node decides its state, Disagrees that its last probe here
	// contradicts that.
	Follows, Disagrees bool
}

// until returns the time until an instant, 0 after it.
func until(now, at clock.Instant) time.Duration { return max(at.Sub(now), 0) }
