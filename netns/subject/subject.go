// Package subject holds the implementations under test. A subject says how its nodes are
// run and what can be observed of them. It declares the capabilities that it provides; what
// it lacks is not judged.
//
// The reference node is one subject, without privilege. The others are adapters: files with
// the commands that start and stop a node, run in namespaces of their own. The built-in
// adapters have the same form.
//
// A subject injects no fault and judges nothing. The world of package netns opens a subject
// for each run, runs its nodes as processes and ends them.
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

// Subject is an implementation whose pairs can be tested.
type Subject interface {
	// Name is its name in reports.
	Name() string
	// Provides lists the names of its capabilities (package capability).
	Provides() []string
	// Patience is how long each of its own commands may take; 0 if it has none.
	Patience() time.Duration
	// Open prepares a pair for one run. The error wraps scenarios.ErrUnsupported if the
	// machine or the subject lacks what the plan asks for. On error it leaves nothing
	// behind.
	Open(Lab) (Pair, error)
}

// Lab describes a run to its subject.
type Lab struct {
	Plan *plan.Plan
	// Devices names a node's network device on each link.
	Devices map[string]string
	// Dir is the folder of the run, in which a subject keeps its configurations.
	Dir string
	// Baton is the path of the baton binary.
	Baton string
	// UpgradeTo is the path of the binary that an upgraded node runs.
	UpgradeTo string
	// AllowUnsafe permits settings that bring historical bugs back.
	AllowUnsafe bool
}

// Change is how a node's configuration differs from the plan. A zero field changes nothing.
type Change struct {
	Backends int  // each service has only the first so many
	Version  int  // newest version of the sync protocol that the node offers
	Upgraded bool // it runs Lab.UpgradeTo
}

// with returns the change followed by another one.
func (c Change) with(next Change) Change {
	return Change{cmp.Or(next.Backends, c.Backends), cmp.Or(next.Version, c.Version), next.Upgraded || c.Upgraded}
}

// Pair is a subject opened for one run. It is safe for concurrent use.
type Pair interface {
	// Command returns how to run a node. It is called before each start.
	Command(node string) (Command, error)
	// Handover asks a node to hand over to its peer and returns its answer.
	Handover(ctx context.Context, node string) (receipt string, err error)
	// Reload asks a node to reload its configuration and returns its answer.
	Reload(ctx context.Context, node string) (receipt string, err error)
	// Drain asks a node to drain a backend of each service, by its number, and returns its
	// answer.
	Drain(ctx context.Context, node string, backend int, deadline time.Duration) (receipt string, err error)
	// Rewrite changes a node's configuration file, which it reads at its next reload or
	// start.
	Rewrite(node string, c Change) error
	// Break injects a dataplane failure of package fault, such as map full, until Mend ends
	// all of them. Both return a receipt.
	Break(ctx context.Context, node, way string) (receipt string, err error)
	Mend(ctx context.Context, node string) (receipt string, err error)
	// Certify replaces a node's certificate, which it reads when it starts: by a faulty one
	// of package fault, or a good one for "". It returns the result of the peer's check.
	Certify(node, way string) (receipt string, err error)
	// Reset returns the command that removes what a node has left on the machine after its
	// processes ended; false if there is none.
	Reset(node string) (Command, bool)
	// Entry asks a node for its table entry of a flow.
	Entry(ctx context.Context, node string, t flow.Tuple) (string, error)
	// Table asks a node for its connection table, at most limit flows.
	Table(ctx context.Context, node string, limit int) (control.Table, error)
	// Close removes what Open has made, except evidence.
	Close() error
}

// Command is a node's process. It writes events as JSON lines to descriptor 3 and exits on
// SIGTERM.
type Command struct {
	Args []string
	// Contained gives the process its own PID, mount and IPC namespaces. Its descendants
	// end with it.
	Contained bool
}

// Lacks lists the capabilities that a subject does not provide.
func Lacks(s Subject) []string { return capability.Lacking(s.Provides()) }

// cannot is the error of a subject that lacks a capability.
func cannot(name, what string) error {
	return fmt.Errorf("subject %s does not provide %s", name, what)
}
