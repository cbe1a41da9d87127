package subject

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"baton/bpf/bpffs"
	"baton/impl/daemon/control"
	"baton/impl/flow"
	"baton/scenarios/capability"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// ReferenceName is the name of the reference node, the default subject.
const ReferenceName = "reference"

// Reference is a pair of this program's own nodes.
type Reference struct{}

// Name implements Subject.
func (Reference) Name() string { return ReferenceName }

// Provides implements Subject. The reference node has every capability.
func (Reference) Provides() []string { return capability.Names() }

// Patience implements Subject.
func (Reference) Patience() time.Duration { return 0 }

// Open implements Subject.
func (Reference) Open(l Lab) (Pair, error) {
	secrets, err := newSecrets(lab.Nodes())
	if err != nil {
		return nil, err
	}
	p := &referencePair{lab: l, secrets: secrets, changes: map[string]Change{}, pins: map[string]*bpffs.FS{}}
	for _, node := range lab.Nodes() {
		if l.Plan.Pins(plan.Netns, node) {
			if p.pins[node], err = bpffs.New(); err != nil {
				delete(p.pins, node)
				return nil, errors.Join(err, p.Close())
			}
		}
	}
	return p, nil
}

type referencePair struct {
	lab     Lab
	secrets *secrets
	pins    map[string]*bpffs.FS // of the nodes that pin their maps, by node

	mu      sync.Mutex
	changes map[string]Change // by node
}

// Command implements Pair: it writes the node's configuration.
func (p *referencePair) Command(node string) (Command, error) {
	file, err := p.writeConfig(node)
	if err != nil {
		return Command{}, err
	}
	program := p.lab.Baton
	if p.changed(node).Upgraded {
		program = p.lab.UpgradeTo
	}
	args := []string{program, "node", "--config", file, "--trace-fd", "3"}
	if p.lab.Plan.Breaks() {
		args = append(args, "--breakable")
	}
	if p.lab.AllowUnsafe {
		args = append(args, "--allow-unsafe")
	}
	return Command{Args: args}, nil
}

// Handover implements Pair.
func (p *referencePair) Handover(ctx context.Context, node string) (string, error) {
	return p.ask(ctx, node, func(c *control.Client) (string, error) { return " took the request", c.Handover(ctx) })
}

// Reload implements Pair.
func (p *referencePair) Reload(ctx context.Context, node string) (string, error) {
	return p.ask(ctx, node, func(c *control.Client) (string, error) {
		changes, err := c.Reload(ctx)
		return ": " + cmp.Or(strings.Join(changes, "; "), "the services are the same"), err
	})
}

// Drain implements Pair.
func (p *referencePair) Drain(ctx context.Context, node string, backend int, deadline time.Duration) (string, error) {
	return p.ask(ctx, node, func(c *control.Client) (string, error) {
		for _, s := range nodeServices(p.lab.Plan, p.lab.Plan.Topo.Lab()) {
			if err := c.Drain(ctx, s.Name, s.Backends[backend-1], deadline); err != nil {
				return "", err
			}
		}
		return fmt.Sprintf(" drains backend %d", backend), nil
	})
}

// Break implements Pair. A node that refuses has no receipt.
func (p *referencePair) Break(ctx context.Context, node, way string) (string, error) {
	return p.change(ctx, node, func(c *control.Client) ([]string, error) { return c.Break(ctx, way) })
}

// Mend implements Pair.
func (p *referencePair) Mend(ctx context.Context, node string) (string, error) {
	return p.change(ctx, node, func(c *control.Client) ([]string, error) { return c.Mend(ctx) })
}

// change makes a node change something and returns what has changed; a refusal is an error.
func (p *referencePair) change(ctx context.Context, node string, ask func(*control.Client) ([]string, error)) (string, error) {
	client, err := p.dial(ctx, node)
	if err != nil {
		return "", err
	}
	defer client.Close()
	changes, err := ask(client)
	if err == nil && len(changes) == 0 {
		err = errors.New("nothing has changed")
	}
	return node + ": " + strings.Join(changes, "; "), err
}

// dial connects to a node for a request.
func (p *referencePair) dial(ctx context.Context, node string) (*control.Client, error) {
	client, err := control.Dial(ctx, p.socket(node))
	if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ENOENT) {
		return nil, errors.New(fault.NotListening(node))
	}
	return client, err
}

// ask sends a request to a node and returns its answer, whose text after the node's name
// comes from ask. A refusal is an answer.
func (p *referencePair) ask(ctx context.Context, node string, ask func(*control.Client) (string, error)) (string, error) {
	client, err := p.dial(ctx, node)
	if err != nil {
		return "", err
	}
	defer client.Close()
	said, err := ask(client)
	var refused *control.Refused
	switch {
	case errors.As(err, &refused):
		return node + " refused: " + refused.Why, nil
	case err != nil:
		return "", err
	}
	return node + said, nil
}

// Rewrite implements Pair.
func (p *referencePair) Rewrite(node string, c Change) error {
	p.mu.Lock()
	p.changes[node] = p.changes[node].with(c)
	p.mu.Unlock()
	_, err := p.writeConfig(node)
	return err
}

func (p *referencePair) changed(node string) Change {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changes[node]
}

// Certify implements Pair.
func (p *referencePair) Certify(node, way string) (string, error) {
	receipt, err := p.secrets.certify(node, way)
	if err == nil {
		_, err = p.writeConfig(node)
	}
	return receipt, err
}

// writeConfig writes a node's current configuration.
func (p *referencePair) writeConfig(node string) (file string, err error) {
	return writeNodeConfig(p.lab, node, p.secrets.of(node), p.pinFolder(node), p.changed(node))
}

// pinFolder returns where a node pins its maps, "" if it does not.
func (p *referencePair) pinFolder(node string) string {
	if p.pins[node] == nil {
		return ""
	}
	return filepath.Join(p.pins[node].Dir(), node)
}

// Reset implements Pair. Everything of a node ends with its process except its pinned maps.
func (p *referencePair) Reset(node string) (Command, bool) {
	dir := p.pinFolder(node)
	return Command{Args: []string{"rm", "-rf", dir}}, dir != ""
}

// Entry implements Pair.
func (p *referencePair) Entry(ctx context.Context, node string, t flow.Tuple) (string, error) {
	client, err := control.Dial(ctx, p.socket(node))
	if err != nil {
		return "", err
	}
	defer client.Close()
	entry, err := client.Entry(ctx, t)
	return entry.Origin, err
}

// Table implements Pair.
func (p *referencePair) Table(ctx context.Context, node string, limit int) (control.Table, error) {
	client, err := control.Dial(ctx, p.socket(node))
	if err != nil {
		return control.Table{}, err
	}
	defer client.Close()
	return client.Table(ctx, limit)
}

// Close implements Pair.
func (p *referencePair) Close() error {
	errs := []error{p.secrets.close()}
	for _, fs := range p.pins {
		errs = append(errs, fs.Close())
	}
	for _, node := range lab.Nodes() {
		if err := os.Remove(p.socket(node)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (p *referencePair) socket(node string) string { return filepath.Join(p.lab.Dir, node+".sock") }
