package explore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"baton/impl/node"
)

// Options bound a walk and choose what is walked.
type Options struct {
	Depth    int // choices from the initial state; at least 1
	Faults   int // how many of them may be faults
	Messages int // bound of sync frames in flight per direction; beyond it the oldest arrives
	Flows    int // that clients may open, at most 8
	// Directions: single directions of single paths are cut and healed too.
	Directions bool
	States     int // number of states that ends the walk; 0 for no limit
	// MaxViolations is the number of violations that ends the walk; 0 reports one of each claim.
	MaxViolations int

	Preempt node.Preempt
	// Arbiter: the pair has an arbiter, so a partition does not excuse two forwarders.
	Arbiter bool
	// Policy is what a MASTER does without the arbiter. With KeepServing a partition excuses two
	// forwarders while a side cannot reach the arbiter.
	Policy node.Policy
	// Gateway: the tracked host is the pair's arbiter.
	Gateway bool
	// GatesOff and AnnounceEarly are the unsafe settings of a node.
	GatesOff, AnnounceEarly bool

	// sabotage, in tests, changes a state after a choice, to see that a claim can fail.
	sabotage func(*world)
	// lost, in tests, are the sides that have lost the arbiter before the walk.
	lost [2]bool
	// strict, in tests, never excuses two forwarders, to see that they occur.
	strict bool
	// only, in tests, restricts the choices.
	only func(choice) bool
}

// Defaults returns bounds with which a walk takes a few seconds.
func Defaults() Options { return Options{Depth: 4, Faults: 2, Messages: 8, Flows: 2} }

// Progress is the progress of a walk.
type Progress struct {
	States      int // distinct states visited
	Transitions int // choices tried
	Depth       int // of the states being reached
	Waiting     int // states whose choices have not been tried
	Found       int // violations
}

// Report is the result of a walk.
type Report struct {
	Progress
	// Complete: every state within Depth was visited. Otherwise States, MaxViolations or the
	// context ended the walk.
	Complete bool
	// Levels counts the new states of each depth.
	Levels []int
	// Roles are the pairs of roles that were reached, as "lb1/lb2"; "-" means no daemon.
	Roles      []string
	Violations []Violation
}

// Violation is a violated claim with a shortest sequence of choices to it.
type Violation struct {
	Check  string
	Reason string
	// Trace describes each choice and role change from the initial state on.
	Trace []string
	// Scenario is the same as a scenario file. It is "" if the language cannot express it: a frame
	// or write is held back, a carrier is lost, a tracked host does not answer.
	Scenario string
}

// String is a one-line summary without the time that the walk took.
func (r Report) String() string {
	bound := "every state within the bounds"
	if !r.Complete {
		bound = fmt.Sprintf("not complete, %d states wait", r.Waiting)
	}
	return fmt.Sprintf("%d states, %d transitions, depth %d (%s), %d pairs of roles, %d violations",
		r.States, r.Transitions, r.Depth, bound, len(r.Roles), len(r.Violations))
}

func (v Violation) String() string {
	return v.Check + ": " + v.Reason + "\n  " + strings.Join(v.Trace, "\n  ")
}

// Validate reports invalid options, in one line.
func (o Options) Validate() error {
	switch {
	case o.Depth < 1 || o.Depth > 255:
		return fmt.Errorf("explore: depth %d is not 1 to 255", o.Depth)
	case o.Faults < 0 || o.States < 0 || o.MaxViolations < 0:
		return fmt.Errorf("explore: negative bound (faults %d, states %d, violations %d)", o.Faults, o.States, o.MaxViolations)
	case o.Messages < 1:
		return fmt.Errorf("explore: %d messages on their way: at least 1 is needed", o.Messages)
	case o.Flows < 0 || o.Flows > 8:
		return fmt.Errorf("explore: %d flows is not 0 to 8", o.Flows)
	}
	return nil
}

// visited is a state, stored as the last choice that leads to it.
type visited struct {
	parent int32 // -1 for a root
	root   uint8
	depth  uint8
	choice choice
}

// walk is one exploration.
type walk struct {
	opts   Options
	begins []*world
	states []visited
	known  map[uint64]bool
	live   map[uint64]bool
	cores  map[left]map[uint64]bool // states known to serve, by the fault that is left
	shown  map[string]bool          // kinds of violations already reported
	roles  map[string]bool
	report Report
}

// progressEvery is how many states are expanded between two calls of progress.
const progressEvery = 500

// Run walks the states of a pair breadth first. It calls progress, if set, from time to time. It
// fails if the options are invalid or the context ends; the report then covers what was visited.
func Run(ctx context.Context, opts Options, progress func(Progress)) (Report, error) {
	if err := opts.Validate(); err != nil {
		return Report{}, err
	}
	w := &walk{opts: opts, known: map[uint64]bool{}, live: map[uint64]bool{}, cores: map[left]map[uint64]bool{}, shown: map[string]bool{}, roles: map[string]bool{}}
	for i, root := range roots {
		w.begins = append(w.begins, root.begin(&w.opts))
		w.visit(w.begin(i), visited{parent: -1, root: uint8(i)})
	}
	err := w.run(ctx, progress)
	w.report.Roles = slices.Sorted(maps.Keys(w.roles))
	return w.report, err
}

func (w *walk) run(ctx context.Context, progress func(Progress)) error {
	for i := 0; i < len(w.states); i++ {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("explore: stopped after %d states: %w", w.report.States, err)
		}
		if progress != nil && i%progressEvery == 0 {
			w.report.Waiting = len(w.states) - i
			progress(w.report.Progress)
		}
		if w.full() {
			w.report.Waiting = len(w.states) - i
			return nil
		}
		if at := w.states[i]; int(at.depth) < w.opts.Depth {
			w.report.Depth = int(at.depth) + 1
			w.expand(int32(i))
		}
	}
	w.report.Complete, w.report.Waiting = true, 0
	return nil
}

// full reports whether a limit has been reached.
func (w *walk) full() bool {
	limit := w.opts.MaxViolations
	return limit > 0 && w.report.Found >= limit || w.opts.States > 0 && w.report.States >= w.opts.States
}

// expand tries every choice of a state. States are not stored but replayed: a sequence of choices
// needs four orders of magnitude less memory than two nodes.
func (w *walk) expand(i int32) {
	at := w.replay(i)
	for _, c := range at.choices() {
		if w.opts.only != nil && !w.opts.only(c) {
			continue
		}
		next := at.clone()
		w.take(next, c)
		w.report.Transitions++
		w.visit(next, visited{parent: i, root: w.states[i].root, depth: w.states[i].depth + 1, choice: c})
	}
}

func (w *walk) take(at *world, c choice) {
	at.apply(c)
	if w.opts.sabotage != nil {
		w.opts.sabotage(at)
	}
}

// visit judges a state that was reached, and queues it if it is new. The judging changes at.
func (w *walk) visit(at *world, way visited) {
	like := roleOf(&at.sides[0]) + "/" + roleOf(&at.sides[1])
	if at.found == nil {
		key := at.fingerprint()
		if w.known[key] {
			return
		}
		w.known[key] = true
		w.count(at, int(way.depth))
		if at.judgeCores(w.cores); at.found == nil {
			at.judgeRecovery(w.live)
		}
	}
	if at.found != nil {
		at.found.like = like
		w.violated(*at.found, way)
		return
	}
	w.states = append(w.states, way)
}

func (w *walk) count(at *world, depth int) {
	w.report.States++
	for len(w.report.Levels) <= depth {
		w.report.Levels = append(w.report.Levels, 0)
	}
	w.report.Levels[depth]++
	pair := [2]string{"-", "-"}
	for i := range at.sides {
		if at.sides[i].core != nil {
			pair[i] = at.sides[i].shown.role
		}
	}
	w.roles[pair[0]+"/"+pair[1]] = true
}

// begin returns a copy of a root state.
func (w *walk) begin(root int) *world { return w.begins[root].clone() }

// replay rebuilds a state from its root.
func (w *walk) replay(i int32) *world {
	way := w.choicesTo(w.states[i])
	at := w.begin(int(w.states[i].root))
	for _, c := range way {
		w.take(at, c)
	}
	return at
}

// choicesTo lists the choices from the root to a state.
func (w *walk) choicesTo(s visited) []choice {
	way := make([]choice, s.depth)
	for ; s.parent >= 0; s = w.states[s.parent] {
		way[s.depth-1] = s.choice
	}
	return way
}

// violated reports a violation unless a similar one was reported: of the same claim and, with
// MaxViolations, after the same choice and in the same roles.
func (w *walk) violated(f finding, at visited) {
	like := f.check
	if w.opts.MaxViolations > 0 {
		like += fmt.Sprint(" ", at.choice, " ", f.healing, " ", f.like)
	}
	if w.shown[like] {
		return
	}
	w.shown[like] = true
	w.report.Found++
	w.report.Violations = append(w.report.Violations, w.tell(f, at))
}
