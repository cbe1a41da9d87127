package subject

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"baton/impl/daemon/control"
	"baton/impl/flow"
	"baton/netns/subject/tree"
	"baton/scenarios"
	"baton/scenarios/capability"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// How the roles of an adapter's nodes are known.
const (
	RolesByWire  = "wire"  // they are derived from the wire
	RolesByPoll  = "poll"  // the command role prints MASTER, BACKUP, FAULT or INIT
	RolesByTrace = "trace" // the node writes events as JSON lines to descriptor 3
)

// Adapter is a subject described by a file: the commands that start and stop a node, and
// how it is observed. Commands are scripts for sh -eu; they run in the node's namespaces
// with the variables that Variables lists.
type Adapter struct {
	Title    string   `yaml:"name"`
	Doc      string   `yaml:"doc"`
	Roles    string   `yaml:"roles"`
	Provided []string `yaml:"provides"`
	// Families lists the address families of the services that it balances; IPv4 by default.
	Families []string `yaml:"families"`
	// Forwards lists the kinds of services that it forwards besides fullnat and dnat with one port.
	Forwards []string `yaml:"forwards"`
	// Needs lists the programs that it requires.
	Needs []string `yaml:"needs"`
	// places has the place of each of them in the file, as "file:line: ".
	places map[string]string
	// Options lists the values of each option, the default first.
	Options map[string][]string `yaml:"options"`
	// Mounts lists the folders that are private to a node and empty at each start.
	Mounts []string `yaml:"mounts"`
	// Logs lists the folders whose content is kept in the results.
	Logs []string          `yaml:"logs"`
	Env  map[string]string `yaml:"env"`
	// Start returns once the node runs. Run is the node itself: the node ends with it.
	Start string `yaml:"start"`
	Run   string `yaml:"run"`
	Stop  string `yaml:"stop"`
	Role  string `yaml:"role"`
	// Handover gives the role to the peer; Reload reloads the configuration. Each fails if
	// the node refuses.
	Handover string `yaml:"handover"`
	Reload   string `yaml:"reload"`
	// Reset removes what a node leaves outside of its process tree and private folders. It
	// runs in its own tree, after a crash and at the end of the run.
	Reset string `yaml:"reset"`
	// Timeout limits each of the commands except run.
	Timeout time.Duration `yaml:"timeout"`
	// Folder is the folder of the file, "" for a built-in one. Configurations may be beside
	// it.
	Folder string `yaml:"-"`
}

// Name implements Subject.
func (a *Adapter) Name() string { return a.Title }

// Balances reports whether it balances services of a family.
func (a *Adapter) Balances(f lab.Family) bool {
	return slices.Contains(a.Families, f.String()) || len(a.Families) == 0 && f == lab.IPv4
}

// special are the kinds of services that an adapter forwards only if its file lists them.
var special = []struct {
	word, what string
	is         func(plan.Service) bool
}{
	{plan.ModeDSRL2, "has the mode " + plan.ModeDSRL2, func(s plan.Service) bool { return s.Direct() && !s.Encapsulated() }},
	{plan.ModeDSRIPIP, "has the mode " + plan.ModeDSRIPIP, plan.Service.Encapsulated},
	{"outer", "has backends of the other family", plan.Service.Across},
	{"ranges", "has a range of ports", plan.Service.Ranged},
}

// lacks says why the adapter does not forward a service; "" if it does.
func (a *Adapter) lacks(s plan.Service) string {
	if !a.Balances(s.Family()) {
		return "is " + s.Family().String() + ", which is not one of its families"
	}
	for _, each := range special {
		if each.is(s) && !slices.Contains(a.Forwards, each.word) {
			return each.what + ", which it does not forward"
		}
	}
	return ""
}

// Patience implements Subject.
func (a *Adapter) Patience() time.Duration { return a.Timeout }

// Provides implements Subject.
func (a *Adapter) Provides() []string {
	var provided []string
	if a.Roles != RolesByWire {
		provided = append([]string{capability.Roles}, slices.DeleteFunc(slices.Clone(a.Provided), func(s string) bool { return s == capability.Roles })...)
	}
	for _, word := range []string{capability.Handover, capability.Reload} {
		if a.commands()[word] != "" {
			provided = append(provided, word)
		}
	}
	return provided
}

// commands returns the commands for a running node, by the capability that each provides.
func (a *Adapter) commands() map[string]string {
	words := map[string]string{capability.Handover: a.Handover, capability.Reload: a.Reload}
	maps.DeleteFunc(words, func(_, script string) bool { return script == "" })
	return words
}

// Missing lists the required programs that the machine lacks.
func (a *Adapter) Missing() []string {
	return slices.DeleteFunc(slices.Clone(a.Needs), func(program string) bool { _, err := exec.LookPath(program); return err == nil })
}

// Unmet says which required programs the machine lacks, and where the adapter file requires them; nil
// if it has all.
func (a *Adapter) Unmet() error {
	missing := a.Missing()
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%ssubject %s needs programs that are not installed: %s", a.places[missing[0]], a.Title, strings.Join(missing, ", "))
}

// Open implements Subject. It writes each node's launch file.
func (a *Adapter) Open(l Lab) (Pair, error) {
	if err := a.Unmet(); err != nil {
		return nil, fmt.Errorf("%w: %w", err, scenarios.ErrUnsupported)
	}
	for _, s := range l.Plan.Services {
		if why := a.lacks(s); why != "" && s.Guard.In(plan.Netns) {
			return nil, fmt.Errorf("subject %s: service %s %s: %w", a.Title, s.Name, why, scenarios.ErrUnsupported)
		}
	}
	options, err := a.optionValues(l.Plan)
	if err != nil {
		return nil, err
	}
	for _, private := range a.Mounts {
		if strings.HasPrefix(l.Dir+"/", strings.TrimSuffix(private, "/")+"/") {
			return nil, fmt.Errorf("subject %s: mounts: %s would hide the results in %s: choose another --out", a.Title, private, l.Dir)
		}
	}
	p := &adapterPair{adapter: a, lab: l, launches: map[string]string{}}
	for _, node := range lab.Nodes() {
		dir := filepath.Join(l.Dir, node)
		if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
			return nil, fmt.Errorf("subject %s: %w", a.Title, err)
		}
		files, err := writeGenerated(l, node, dir)
		if err != nil {
			return nil, err
		}
		described, err := describe(l, node, options).write(dir)
		if err != nil {
			return nil, err
		}
		env := append(append(environment(l, node, dir, options), files...), described, "BATON_ADAPTER_DIR="+a.Folder)
		for name, value := range a.Env { // order does not matter: a set
			env = append(env, name+"="+value)
		}
		launch := tree.Launch{Node: node, Dir: dir, Env: env, Mounts: a.Mounts, Logs: a.Logs, Start: a.Start, Run: a.Run, Stop: a.Stop,
			Role: a.Role, Reset: a.Reset, Commands: a.commands(), Trace: a.Roles == RolesByTrace, Timeout: a.Timeout}
		if p.launches[node], err = launch.Write(dir); err != nil {
			return nil, fmt.Errorf("subject %s: %w", a.Title, err)
		}
	}
	return p, nil
}

// optionValues returns the plan's values of the options, else the defaults.
func (a *Adapter) optionValues(p *plan.Plan) (map[string]string, error) {
	chosen := map[string]string{}
	for name, values := range a.Options { // order does not matter: a map
		chosen[name] = values[0]
	}
	for name, value := range p.SubjectOptions(plan.Netns) { // order does not matter: a map
		values, known := a.Options[name]
		if !known {
			return nil, fmt.Errorf("subject %s has no option %s: %w", a.Title, name, scenarios.ErrUnsupported)
		}
		if !slices.Contains(values, value) {
			return nil, fmt.Errorf("subject %s: option %s=%s: one of %s", a.Title, name, value, strings.Join(values, ", "))
		}
		chosen[name] = value
	}
	return chosen, nil
}

type adapterPair struct {
	adapter  *Adapter
	lab      Lab
	launches map[string]string // launch files by node
}

// Command implements Pair.
func (p *adapterPair) Command(node string) (Command, error) {
	return Command{Args: []string{p.lab.Baton, "subject", "node", p.launches[node]}, Contained: true}, nil
}

// Handover implements Pair.
func (p *adapterPair) Handover(ctx context.Context, node string) (string, error) {
	return p.ask(ctx, node, capability.Handover)
}

// Reload implements Pair.
func (p *adapterPair) Reload(ctx context.Context, node string) (string, error) {
	return p.ask(ctx, node, capability.Reload)
}

// Drain implements Pair.
func (p *adapterPair) Drain(context.Context, string, int, time.Duration) (string, error) {
	return "", cannot(p.adapter.Title, capability.Drain)
}

// Break implements Pair.
func (p *adapterPair) Break(context.Context, string, string) (string, error) {
	return "", cannot(p.adapter.Title, capability.Breakable)
}

// Mend implements Pair.
func (p *adapterPair) Mend(context.Context, string) (string, error) {
	return "", cannot(p.adapter.Title, capability.Breakable)
}

// Certify implements Pair.
func (p *adapterPair) Certify(string, string) (string, error) {
	return "", cannot(p.adapter.Title, capability.Certificates)
}

// Rewrite implements Pair.
func (p *adapterPair) Rewrite(string, Change) error {
	return cannot(p.adapter.Title, "a changed configuration")
}

// ask runs a command of a running node. A command that fails is an answer, not an error.
func (p *adapterPair) ask(ctx context.Context, node, word string) (string, error) {
	if p.adapter.commands()[word] == "" {
		return "", cannot(p.adapter.Title, word)
	}
	said, err := tree.Ask(ctx, filepath.Dir(p.launches[node]), word)
	var refused *tree.Refused
	switch {
	case errors.As(err, &refused):
		return node + " refused: " + refused.Error(), nil
	case err != nil:
		return "", err
	case said == "":
		said = "done"
	}
	return fmt.Sprintf("%s: %s: %s", node, word, said), nil
}

// Reset implements Pair.
func (p *adapterPair) Reset(node string) (Command, bool) {
	return Command{Args: []string{p.lab.Baton, "subject", "reset", p.launches[node]}, Contained: true}, p.adapter.Reset != ""
}

// Entry implements Pair.
func (p *adapterPair) Entry(context.Context, string, flow.Tuple) (string, error) {
	return "", cannot(p.adapter.Title, capability.Table)
}

// Table implements Pair.
func (p *adapterPair) Table(context.Context, string, int) (control.Table, error) {
	return control.Table{}, cannot(p.adapter.Title, capability.Table)
}

// Close implements Pair.
func (p *adapterPair) Close() error {
	var errs []error
	for _, launch := range p.launches { // order does not matter
		errs = append(errs, tree.Close(filepath.Dir(launch)))
	}
	return errors.Join(errs...)
}
