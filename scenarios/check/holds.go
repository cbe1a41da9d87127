package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"baton/scenarios/lab"
	"baton/scenarios/metric"
	"baton/scenarios/plan"
)

// Holds reports whether the condition is true now, with the actual state. Counts start when
// the State was made.
func (s *State) Holds(c plan.Cond) (bool, string) {
	switch {
	case c.Role != nil:
		role, why := s.role(c.Role.Node)
		return (role == c.Role.Role) != c.Role.Not, why
	case c.InSync != nil:
		insync, why := s.insync(c.InSync.Node)
		return insync != c.InSync.Not, why
	case c.Compare != nil:
		return s.compare(*c.Compare)
	case c.Named == plan.Converged:
		why, _ := s.unconverged()
		return why == "", orElse(why, "converged")
	case c.Named == plan.Replica:
		why := s.replicasDiffer()
		return why == "", orElse(why, "equal tables")
	}
	return false, c.String() + " is judged over a window, not at an instant"
}

// HoldAll reports whether all conditions are true together, with the actual state of those that
// are not, or of all if they are. Conditions that cannot be judged for the subject are left out.
func (s *State) HoldAll(conds []plan.Cond) (bool, string) {
	var held, open []string
	for _, c := range conds {
		ok, why := s.Holds(c)
		if lack := lacking(c, s.lacks); lack != "" {
			held = append(held, c.String()+" is not judged: "+lack)
		} else if ok {
			held = append(held, why)
		} else {
			open = append(open, why)
		}
	}
	if len(open) > 0 {
		return false, strings.Join(open, "; ")
	}
	return true, strings.Join(held, "; ")
}

// missed returns the first state that a node should have by the conditions and does not.
func (s *State) missed(conds ...plan.Cond) *Missed {
	for _, c := range conds {
		if ok, _ := s.Holds(c); ok || lacking(c, s.lacks) != "" {
			continue
		}
		switch {
		case c.Role != nil:
			return &Missed{Node: c.Role.Node}
		case c.InSync != nil:
			return &Missed{Node: c.InSync.Node, InSync: true}
		case c.Named == plan.Converged:
			_, missed := s.unconverged()
			return missed
		}
	}
	return nil
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// role is a node's role, "" while it has none.
func (s *State) role(node string) (role, why string) {
	n := s.Nodes[node]
	switch {
	case n == nil:
		return "", node + " is unknown"
	case !n.Up:
		return "", node + " is down"
	case n.Frozen:
		return n.Role, node + " is frozen as " + n.Role
	}
	return n.Role, node + " is " + n.Role
}

func (s *State) insync(node string) (bool, string) {
	n := s.Nodes[node]
	switch {
	case n == nil:
		return false, node + " is unknown"
	case !n.Up:
		return false, node + " is down"
	case n.InSync && n.Gate != nil && !n.Gate.Open:
		return false, fmt.Sprintf("%s is not insync: gate %s is closed: %s", node, gateInSync, n.Gate.Why)
	case n.InSync:
		return true, fmt.Sprintf("%s is insync with %d entries", node, n.Sync.Entries)
	case n.Sync.Phase == "":
		return false, node + " is not insync (no sync yet)"
	}
	why := fmt.Sprintf("%s is not insync (%s, %d entries", node, n.Sync.Phase, n.Sync.Entries)
	if n.Sync.Why != "" {
		why += ", " + n.Sync.Why
	}
	return false, why + ")"
}

func (s *State) compare(c plan.Compare) (bool, string) {
	want, err := target(c, s.Env())
	if err != nil {
		return false, err.Error()
	}
	actual, ok := s.value(c.Metric, c.Arg)
	if !ok {
		return false, c.Name() + " is not known yet"
	}
	return c.Holds(actual, want), fmt.Sprintf("%s is %s", c.Name(), quantity(c.Metric, actual))
}

// target evaluates the right side of a comparison in the unit of its metric: milliseconds for
// times.
func target(c plan.Compare, env plan.Env) (float64, error) {
	if m, _ := metric.Of(c.Metric); m.Unit == metric.Count || !c.Value.IsDuration() {
		return c.Value.Number()
	}
	d, err := c.Value.Duration(env)
	return milliseconds(d), err
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// quantity formats the value of a metric with its unit.
func quantity(name string, value float64) string {
	m, _ := metric.Of(name)
	if m.Unit == metric.Count {
		return fmt.Sprintf("%g", value)
	}
	return fmt.Sprintf("%gms", round(value))
}

// value is the present value of a metric, false if it has none yet.
func (s *State) value(name, line string) (float64, bool) {
	m := measures[name]
	if m.now == nil {
		return 0, false
	}
	return m.now(s, line)
}

// replicasDiffer says how the live nodes' tables differ, or which digest is missing; "" if they
// are equal.
func (s *State) replicasDiffer() string {
	var first *Node
	for _, n := range s.Live() {
		switch {
		case n.Replica == nil:
			return "no digest of " + n.Name + "'s table yet"
		case first == nil:
			first = n
		case n.Replica.Digest != first.Replica.Digest:
			return fmt.Sprintf("tables differ: %s has %d entries (digest %s), %s has %d (digest %s)", first.Name,
				first.Replica.Entries, first.Replica.Digest, n.Name, n.Replica.Entries, n.Replica.Digest)
		}
	}
	if first == nil {
		return "no node is up"
	}
	return ""
}

// unconverged says why the pair has not converged, "" if it has, and which state a node lacks.
func (s *State) unconverged() (why string, missed *Missed) {
	live := s.Live()
	if len(live) == 0 {
		return "no node is up", nil
	}
	masters := 0
	for _, n := range live {
		switch {
		case n.Silent && n.Role != roleBackup: // a Backup may have nothing to report
			return n.Name + " has not reported anything since its thaw", &Missed{Node: n.Name}
		case n.Role == roleMaster:
			masters++
		case n.Role != roleBackup:
			return n.Name + " is " + n.Role, &Missed{Node: n.Name}
		default:
			if ok, why := s.insync(n.Name); !ok {
				return why, &Missed{Node: n.Name, InSync: true}
			}
		}
	}
	switch {
	case masters != 1:
		return fmt.Sprintf("%d masters", masters), nil
	case len(live) == 1:
		return "", nil
	}
	return orElse(s.pathDown(live), s.replicasDiffer()), nil
}

// pathDown names a BFD path between the live nodes that is not up though no cut
// explains it.
func (s *State) pathDown(live []*Node) string {
	for _, n := range live {
		for _, name := range slices.Sorted(maps.Keys(n.Paths)) {
			if p := n.Paths[name]; p.State != stateUp && !s.isCut(name) {
				return fmt.Sprintf("path %s of %s is %s", name, n.Name, p.State)
			}
		}
	}
	return ""
}

// isCut reports whether the heartbeat of a path is cut. Paths have the names of their links.
func (s *State) isCut(path string) bool {
	for _, c := range s.Cuts {
		if c.Only != "" && c.Only != lab.BFD {
			continue
		}
		if lab.IsNode(c.From) && lab.IsNode(c.To) && strings.HasPrefix(path, strings.TrimSuffix(c.Link, "s")) {
			return true
		}
	}
	return false
}
