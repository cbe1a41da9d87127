package explore

import (
	"fmt"
	"strings"
	"time"

	"baton/impl/ha"
	"baton/scenarios/plan"
)

// root is an initial state of the walk.
type root struct {
	says  string
	begin func(*Options) *world
	// lines are the scenario steps that lead to this state. The choices of the walk follow at then.
	lines string
	then  time.Duration
}

var roots = []root{
	{
		says:  "lb1 is MASTER, lb2 is BACKUP in sync, one flow is open",
		begin: formed,
		lines: "@0s wait lb1 is Master and lb2 insync within 3s\n",
		then:  time.Second,
	},
	{
		says:  "both daemons have just been started",
		begin: cold,
		lines: "@0s wait lb1 is Master and lb2 insync within 3s\n@1s crash lb1 lb2\n@2s restore lb1 lb2\n",
		then:  2 * time.Second,
	},
}

func cold(opts *Options) *world {
	w := newWorld(opts)
	w.start()
	return w
}

func (w *world) start() {
	w.boot(&w.sides[0])
	w.boot(&w.sides[1])
	w.flush()
}

// formed runs a cold pair until it has converged. Violations on the way are ignored here, because
// the walk from cold finds them.
func formed(opts *Options) *world {
	w := newWorld(opts)
	w.lenient = true
	defer func() { w.lenient = false }()
	w.start()
	for range int(recovery / step) {
		w.settle()
		if w.converged() && w.sides[0].shown.role == ha.Master.String() {
			break
		}
		w.pass(step, nil)
	}
	if w.flows < opts.Flows {
		w.open(&w.sides[0])
		w.settle()
	}
	w.pass(time.Second, nil)
	if w.store.lost = opts.lost; opts.lost != [2]bool{} {
		w.pass(2*validity, nil) // until the nodes have noticed
	}
	return w
}

// tell turns a finding into a violation. It replays the choices from the initial state without
// cloning and describes each. A finding that does not recur is a bug of the walk.
func (w *walk) tell(f finding, way visited) Violation {
	v := Violation{Check: f.check, Reason: f.reason}
	from := roots[way.root]
	at := from.begin(&w.opts)
	began := at.now
	note := func(format string, args ...any) {
		v.Trace = append(v.Trace, fmt.Sprintf("%8s ", at.now.Sub(began).Round(time.Millisecond))+fmt.Sprintf(format, args...))
	}
	note("%s", from.says)
	at.watch = func(change string) { note("    %s", change) }
	lines, expressible := from.lines, true
	for _, c := range w.choicesTo(way) {
		expressible = expressible && at.expressible(c)
		if line := at.line(c); line != "" {
			lines += fmt.Sprintf("@%v %s\n", from.then+at.now.Sub(began).Round(time.Millisecond), line)
		}
		note("%s", at.describe(c))
		w.take(at, c)
	}
	if f.healing {
		for _, undo := range at.undoing(f.left) {
			lines += fmt.Sprintf("@%v %s\n", from.then+at.now.Sub(began).Round(time.Millisecond), undo)
		}
		note("every fault but this is undone: %v; and all that waits arrives and completes", f.left)
		if f.left.anything {
			at.judgeCore(f.left, map[uint64]bool{})
		} else {
			at.judgeRecovery(map[uint64]bool{})
		}
	}
	if at.found == nil || at.found.check != f.check {
		v.Check, v.Reason = checkInternal, "found on a copy, and not when replayed: "+v.Reason
		return v
	}
	if expressible {
		v.Scenario = w.scenario(f, lines, from.then+at.now.Sub(began)+time.Second)
	}
	return v
}

// expressible reports whether a scenario can express a choice: it needs a verb, and nothing may be
// held back.
func (w *world) expressible(c choice) bool {
	switch c.verb {
	case arrives, completes, settles, connects:
		return true
	case refuses, halves, blocks, unplugs, plugs, misses, answers, consults, reconnects, delays, loses:
		return false
	}
	return w.idle()
}

// line returns a choice as a scenario step, "" if it needs none.
func (w *world) line(c choice) string {
	id, peer := ids[c.side], ids[1-c.side]
	switch c.verb {
	case restores:
		return "restore " + id
	case thaws:
		return "thaw " + id
	case heals:
		return "heal"
	case kills:
		return "kill " + id
	case crashes:
		return "crash " + id
	case freezes:
		return "freeze " + id
	case cutsOneWay:
		return fmt.Sprintf("cut %s->%s", id, peer)
	case cutsClientsOneWay:
		return fmt.Sprintf("cut %s->%s via clients", id, peer)
	case cutsSyncOneWay:
		return fmt.Sprintf("cut %s->%s via sync", id, peer)
	case healsClients:
		return fmt.Sprintf("heal %s->%s via clients", id, peer)
	case healsSync:
		return fmt.Sprintf("heal %s->%s via sync", id, peer)
	case cutsSync:
		return "cut sync"
	case stops:
		return "stop " + id
	case hands:
		return "handover " + id
	}
	return ""
}

// undoing lists the scenario steps that heal every fault of a state except l.
func (w *world) undoing(l left) (steps []string) {
	for i := range w.sides {
		s, id, peer := &w.sides[i], ids[i], ids[1-i]
		for path, link := range []string{"clients", "sync"} {
			if w.cut[i][path] && !l.cut[i][path] {
				steps = append(steps, fmt.Sprintf("heal %s->%s via %s", id, peer, link))
			}
		}
		switch {
		case s.core == nil && !l.down[i]:
			steps = append(steps, "restore "+id)
		case s.frozen && !l.frozen[i]:
			steps = append(steps, "thaw "+id)
		}
	}
	return steps
}

// scenario returns a scenario file for a finding, "" if it does not parse.
func (w *walk) scenario(f finding, lines string, end time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "scenario explored-%s\ndoc Found by exploration: %s\n", f.check, f.reason)
	fmt.Fprintf(&b, "topo pair clients=1 backends=2\nconfig bfd.tx=%v bfd.mult=%d ha.hold=%v ha.preempt=%v\n", tx, mult, hold, w.opts.Preempt)
	if w.opts.GatesOff {
		b.WriteString("config ha.gates=off\n")
	}
	if w.opts.AnnounceEarly {
		b.WriteString("config ha.announce=before-install\n")
	}
	b.WriteString("service web tcp 198.18.0.100:80 mode=fullnat\ntraffic web sessions tcp count=10 every=50ms\n")
	b.WriteString("always masters <= 1 ; forwarders <= 1 ; announce ; gates\n" + lines)
	fmt.Fprintf(&b, "@%v end eventually converged within %v\n", end, recovery)
	p, err := plan.Parse("explored.scn", []byte(b.String()))
	if err != nil {
		return ""
	}
	return plan.Print(p)
}
