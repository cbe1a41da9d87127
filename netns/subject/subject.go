// Package subject holds what can be under test: pairs of nodes, each a kind of its own.
// A subject says how a node of it is run and what of it can be observed; it declares the
// capabilities that it provides, and whatever it lacks is not judged.
//
// The reference node is one subject and has no privilege. The others are adapters: files
// with the commands that start and stop a node, run in namespaces of their own. Those
// that baton brings along are such files too.
//
// A subject injects no fault and judges nothing. The world of package netns opens one for
// each run, runs its nodes as processes and ends them.
package subject

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"baton/impl/daemon/control"
	"baton/impl/flow"
	"baton/scenarios/capability"
	"baton/scenarios/plan"
)

// Subject is a kind of pair.
type Subject interface {
	// Name is what reports call it.
	Name() string
	// Provides lists its capabilities, by their names in package capability.
	Provides() []string
	// Open prepares a pair for one run. The error wraps scenarios.ErrUnsupported where
	// the machine or the subject lacks what the plan asks for. On error nothing is left.
	Open(Lab) (Pair, error)
}

// Lab is what a run gives to its subject.
type Lab struct {
	Plan *plan.Plan
	// Devices names a node's network device on each link of package lab.
	Devices map[string]string
	// Dir is the folder of the run; a subject keeps its configurations there.
	Dir string
	// Baton is the path of this program.
	Baton string
	// UpgradeTo is the path of the program that an upgraded node runs.
	UpgradeTo string
	// AllowUnsafe allows settings that bring historical bugs back.
	AllowUnsafe bool
}

// Change is how a node differs from the plan. A zero field changes nothing.
type Change struct {
	Backends int  // each service has the first so many
	Version  int  // newest of the sync protocol that the node offers
	Upgraded bool // it runs the program of an upgrade
}

// with is the change after another.
func (c Change) with(next Change) Change {
	return Change{cmp.Or(next.Backends, c.Backends), cmp.Or(next.Version, c.Version), next.Upgraded || c.Upgraded}
}

// Pair is a subject opened for one run. Its methods may be called from several goroutines.
type Pair interface {
	// Command returns how to run a node. It is called before each start.
	Command(node string) (Command, error)
	// Handover asks a node to give the role to its peer, and returns its answer.
	Handover(ctx context.Context, node string) (receipt string, err error)
	// Reload asks a node to read its configuration again, and returns its answer.
	Reload(ctx context.Context, node string) (receipt string, err error)
	// Drain asks a node to give no new flows to a backend of each service, by its number,
	// and returns its answer.
	Drain(ctx context.Context, node string, backend int, deadline time.Duration) (receipt string, err error)
	// Rewrite changes a node's configuration, which it reads at its next reload or start.
	Rewrite(node string, c Change) error
	// Break has a node's dataplane fail in a way of package fault, such as map full, until
	// Mend ends all such faults. Both return what shows it.
	Break(ctx context.Context, node, way string) (receipt string, err error)
	Mend(ctx context.Context, node string) (receipt string, err error)
	// Certify gives a node another certificate, which it reads as it starts: in a way of
	// package fault, or a good one for "". It returns what the peer will make of it.
	Certify(node, way string) (receipt string, err error)
	// Reset is the command that removes what a node has left on the machine and that did
	// not end with its processes; false if there is none. It ends by itself.
	Reset(node string) (Command, bool)
	// Entry asks a node how its table knows a flow.
	Entry(ctx context.Context, node string, t flow.Tuple) (string, error)
	// Table asks a node for its connection table, up to a number of flows.
	Table(ctx context.Context, node string, limit int) (control.Table, error)
	// Close removes what Open has made, except evidence.
	Close() error
}

// Command is a process that is a node. It writes events as JSON lines to descriptor 3
// and ends in order on SIGTERM.
type Command struct {
	Args []string
	// Contained gives it a process tree, mounts and IPC of its own: with the process
	// ends whatever it has started.
	Contained bool
}

// Lacks lists the capabilities that a subject does not provide.
func Lacks(s Subject) []string { return capability.Lacking(s.Provides()) }

// cannot is the answer of a subject that lacks a capability.
func cannot(name, what string) error {
	return fmt.Errorf("subject %s does not provide %s", name, what)
}
