package netns

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"baton/impl/trace"
	"baton/netns/internal/hostclock"
	"baton/netns/subject"
	"baton/scenarios"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// receiptLimit bounds how long a fault may take to show a receipt, including a stop, which
// waits for the node to exit.
const receiptLimit = 5 * time.Second

// faultLimit is receiptLimit plus the time limit of a command of the subject, since a fault may run one.
func (w *World) faultLimit() time.Duration { return receiptLimit + w.cfg.Subject.Patience() }

// executions maps each verb of package fault to its implementation.
var executions = map[string]func(*World, context.Context, plan.Fault) error{
	fault.Crash:       onMachine((*World).crash, (*World).crashHost, (*World).crashHost),
	fault.Kill:        onMachine(toProcess((*Pair).Kill), (*World).haltHost, (*World).haltHost),
	fault.Stop:        onMachine(toProcess((*Pair).Stop), (*World).stopClient, (*World).haltHost),
	fault.Freeze:      onMachine(toProcess((*Pair).Freeze), (*World).freezeHost, (*World).freezeHost),
	fault.Thaw:        onMachine(toProcess((*Pair).Thaw), (*World).thawHost, (*World).thawHost),
	fault.Restore:     onMachine((*World).restore, (*World).restoreHost, (*World).restoreHost),
	fault.Handover:    onMachine(asked(subject.Pair.Handover), nil, nil),
	fault.Reload:      (*World).reload,
	fault.Drain:       (*World).drain,
	fault.Upgrade:     (*World).upgrade,
	fault.Cut:         (*World).cut,
	fault.Heal:        (*World).heal,
	fault.Lose:        (*World).lose,
	fault.Limit:       (*World).impair,
	fault.Delay:       (*World).impair,
	fault.Duplicate:   (*World).impair,
	fault.Reorder:     (*World).impair,
	fault.Corrupt:     (*World).impair,
	fault.Down:        setPort(false),
	fault.Up:          setPort(true),
	fault.Deaf:        setDeaf(true),
	fault.Hears:       setDeaf(false),
	fault.Flood:       (*World).flood,
	fault.Starve:      (*World).starve,
	fault.Feed:        (*World).feed,
	fault.Map:         (*World).breakNodes,
	fault.Events:      (*World).breakNodes,
	fault.Mend:        (*World).mendNodes,
	fault.Certificate: (*World).certify,
	fault.Renew:       (*World).certify,
	fault.Disk:        setDisk(true),
	fault.Clear:       setDisk(false),
	fault.Run:         (*World).run,
	fault.Step:        func(*World, context.Context, plan.Fault) error { return scenarios.ErrUnsupported }, // see Refuses
}

// Refuses implements scenarios.Able.
func (w *World) Refuses(f plan.Fault) string {
	switch {
	case executions[f.Verb] == nil:
		return "no implementation of " + f.Verb
	case f.Verb == fault.Step:
		return "the kernel cannot step the monotonic clock of a running process"
	case f.Verb == fault.Disk:
		return canMakeDisks()
	case f.Verb == fault.Run:
		return noProgram(f)
	case f.Verb == fault.Deaf && !canBeDeaf():
		return "this kernel has no drop_gratuitous_arp"
	}
	return ""
}

// Do implements scenarios.World.
func (w *World) Do(ctx context.Context, f plan.Fault) error {
	if why := w.Refuses(f); why != "" {
		return fmt.Errorf("netns: %s: %w", why, scenarios.ErrUnsupported)
	}
	return executions[f.Verb](w, ctx, f)
}

// action does something to a machine and returns the receipt.
type action func(w *World, ctx context.Context, host string) (receipt string, err error)

// onMachine executes a verb on all its machines in parallel, with the action for the
// machine's kind.
func onMachine(node, client, backend action) func(*World, context.Context, plan.Fault) error {
	deeds := map[lab.Kind]action{lab.Node: node, lab.Client: client, lab.Backend: backend}
	return func(w *World, ctx context.Context, f plan.Fault) error {
		return w.each(f.Hosts, func(host string) error {
			do := deeds[w.pair.Host(host).Role()]
			if do == nil {
				return fmt.Errorf("netns: %s %s: %w", f.Verb, host, scenarios.ErrUnsupported)
			}
			began := trace.Fault{Verb: f.Verb, Target: host, Hosts: []string{host}}
			return w.inBackground(ctx, began, func(ctx context.Context) (string, error) { return do(w, ctx, host) })
		})
	}
}

// toProcess acts on a node's process.
func toProcess(do func(*Pair, context.Context, *Process) (string, error)) action {
	return func(w *World, ctx context.Context, node string) (string, error) {
		return do(w.pair, ctx, w.process(node))
	}
}

// crash is a power failure of a node. It also clears the state that only the subject knows
// of.
func (w *World) crash(ctx context.Context, node string) (string, error) {
	receipt, err := w.pair.Crash(ctx, w.process(node))
	if err != nil {
		return "", err
	}
	if err := w.reset(ctx, node); err != nil {
		return "", noReceipt("crash %s: %w", node, err)
	}
	return receipt, nil
}

// cut drops packets from now on, and proves it in parallel to the timeline.
func (w *World) cut(ctx context.Context, f plan.Fault) error {
	began, ended, err := w.takeLinks(ctx, f)
	if err != nil {
		return err
	}
	var prove func(context.Context) (string, error)
	finish := w.begin(ctx, began, func(ctx context.Context) (string, error) {
		if err != nil {
			return "", err
		}
		return prove(ctx)
	})
	prove, err = w.pair.BeginCut(*f.On)
	go func() {
		defer ended()
		if err := finish(); err != nil {
			w.fail(err)
		}
	}()
	return nil
}

// prepare attaches the filters and makes the wires that the plan's faults will need.
func (w *World) prepare() error {
	for _, s := range w.plan.Steps {
		if s.Fault != nil && s.Fault.On != nil && s.Guard.In(plan.Netns) {
			_, wires := s.Fault.Wire()
			if err := w.pair.Prepare(*s.Fault.On, wires); err != nil {
				return err
			}
		}
	}
	return nil
}

// faultSeed derives a seed from the run's seed and the number of the fault.
func (w *World) faultSeed() uint64 { return w.cfg.Seed<<16 + uint64(w.faults.Load())<<8 }

func (w *World) lose(ctx context.Context, f plan.Fault) error {
	if _, wire := f.Wire(); wire {
		return w.impair(ctx, f)
	}
	return w.beginOnLinks(ctx, f, func(ctx context.Context) (string, error) {
		return w.pair.Lose(ctx, *f.On, f.Share, w.faultSeed())
	})
}

// impair diverts the selected traffic over wires.
func (w *World) impair(ctx context.Context, f plan.Fault) error {
	return w.beginOnLinks(ctx, f, func(ctx context.Context) (string, error) {
		params, _ := f.Wire()
		return w.pair.Impair(ctx, *f.On, f.Verb, params, w.faultSeed())
	})
}

// setPort sets the carrier of one port, or of all ports of a link.
func setPort(up bool) func(*World, context.Context, plan.Fault) error {
	return func(w *World, ctx context.Context, f plan.Fault) error {
		directions, set := w.pair.topo.All(f.Via), func(ctx context.Context) (string, error) { return w.pair.SetLink(ctx, f.Via, up) }
		if len(f.Hosts) > 0 {
			host := f.Hosts[0]
			directions, set = w.pair.topo.Port(host, f.Via), func(ctx context.Context) (string, error) { return w.pair.SetPort(ctx, host, f.Via, up) }
		}
		return w.begin(ctx, trace.Fault{Verb: f.Verb, Target: f.Target(), Directions: directions}, set)()
	}
}

// setDeaf makes machines ignore or accept unsolicited ARP and neighbour announcements.
func setDeaf(deaf bool) func(*World, context.Context, plan.Fault) error {
	return func(w *World, ctx context.Context, f plan.Fault) error {
		for _, host := range f.Hosts {
			began := trace.Fault{Verb: f.Verb, Target: host, Hosts: []string{host}}
			if err := w.begin(ctx, began, func(context.Context) (string, error) { return w.pair.SetDeaf(host, deaf) })(); err != nil {
				return err
			}
		}
		return nil
	}
}

// flood makes a client send packets for a limited time.
func (w *World) flood(ctx context.Context, f plan.Fault) error {
	fl := Flood{Kind: f.Flood, From: f.Hosts[0], Rate: f.Rate(), For: f.Time, Seed: w.faultSeed()}
	if lab.IsNode(f.To) {
		fl.To = netip.AddrPortFrom(w.addr(f.To, lab.IPv4), lab.BFDPort)
		fl.Victim = w.addr(lab.Peer(f.To), lab.IPv4)
	}
	for _, s := range w.services() {
		if s.Name == f.To {
			vip, err := netip.ParseAddr(s.VIP)
			if err != nil {
				return fmt.Errorf("netns: %w", err)
			}
			fl.To, fl.Victim = netip.AddrPortFrom(vip, s.Port), w.victim(fl.From, s.Family())
		}
	}
	began := trace.Fault{Verb: f.Verb, Target: f.Target(), Hosts: f.Hosts}
	return w.begin(ctx, began, func(ctx context.Context) (string, error) { return w.pair.StartFlood(ctx, fl) })()
}

// starve limits a resource of the nodes' processes.
func (w *World) starve(ctx context.Context, f plan.Fault) error {
	share, period := f.Ration()
	more, files := f.Files()
	return w.toNodes(ctx, f, func(ctx context.Context, p *Process) (string, error) {
		var receipts []string
		if files {
			receipt, err := p.LimitFiles(more)
			if err != nil {
				return "", err
			}
			receipts = append(receipts, receipt)
		}
		if more := f.Memory(); more > 0 {
			receipt, err := p.LimitMemory(more)
			if err != nil {
				return "", err
			}
			receipts = append(receipts, receipt)
		}
		if share > 0 {
			receipt, err := p.Throttle(ctx, share, period)
			if err != nil {
				return "", err
			}
			receipts = append(receipts, receipt)
		}
		return strings.Join(receipts, "; "), nil
	})
}

// feed lifts the limits.
func (w *World) feed(ctx context.Context, f plan.Fault) error {
	return w.toNodes(ctx, f, func(ctx context.Context, p *Process) (string, error) {
		receipt, err := p.Unlimit()
		if err == nil && p.throttled() {
			var runs string
			runs, err = p.Unthrottle(ctx)
			receipt += "; " + runs
		}
		return receipt, err
	})
}

// breakNodes injects the dataplane failure that the fault names.
func (w *World) breakNodes(ctx context.Context, f plan.Fault) error {
	return w.toNodes(ctx, f, func(ctx context.Context, p *Process) (string, error) {
		return answered(w.nodes.Break(ctx, p.host.name, f.Verb+" "+f.Way))
	})
}

// mendNodes ends the dataplane failure.
func (w *World) mendNodes(ctx context.Context, f plan.Fault) error {
	return w.toNodes(ctx, f, func(ctx context.Context, p *Process) (string, error) { return answered(w.nodes.Mend(ctx, p.host.name)) })
}

// certify replaces the nodes' certificates, by a faulty one if the fault says so.
func (w *World) certify(ctx context.Context, f plan.Fault) error {
	return w.toNodes(ctx, f, func(_ context.Context, p *Process) (string, error) {
		return answered(w.nodes.Certify(p.host.name, f.Way))
	})
}

// answered turns a node's answer into the receipt. Without an answer there is no receipt.
func answered(answer string, err error) (string, error) {
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoReceipt, err)
	}
	return answer, nil
}

// toNodes acts on the processes of nodes in parallel.
func (w *World) toNodes(ctx context.Context, f plan.Fault, do func(context.Context, *Process) (string, error)) error {
	return w.each(f.Hosts, func(node string) error {
		one := f
		one.Hosts = []string{node}
		began := trace.Fault{Verb: f.Verb, Target: one.Target(), Hosts: one.Hosts}
		return w.inBackground(ctx, began, func(ctx context.Context) (string, error) { return do(ctx, w.process(node)) })
	})
}

// victim returns a client other than the flooding one, or that one if it is the only
// client.
func (w *World) victim(flooder string, f lab.Family) netip.Addr {
	for _, name := range w.pair.Names(RoleClient) {
		if name != flooder {
			return w.addr(name, f)
		}
	}
	return w.addr(flooder, f)
}

// addr returns a host's address on the clients' link.
func (w *World) addr(host string, f lab.Family) netip.Addr {
	i, _ := w.pair.Host(host).Interface(lab.Clients)
	return i.AddrOf(f)
}

func (w *World) beginOnLinks(ctx context.Context, f plan.Fault, do func(context.Context) (string, error)) error {
	began, ended, err := w.takeLinks(ctx, f)
	if err != nil {
		return err
	}
	defer ended()
	return w.begin(ctx, began, do)()
}

// takeLinks waits until earlier faults of the same directions have finished. Later ones wait until
// ended is called.
func (w *World) takeLinks(ctx context.Context, f plan.Fault) (began trace.Fault, ended func(), err error) {
	rules, err := w.pair.topo.Selected(*f.On)
	if err != nil {
		return trace.Fault{}, nil, fmt.Errorf("netns: %w", err)
	}
	ended, err = w.awaitTurns(ctx, rules)
	return trace.Fault{Verb: f.Verb, Target: f.Target(), Directions: rules}, ended, err
}

func (w *World) heal(ctx context.Context, f plan.Fault) error {
	cut, err := w.pair.Severed(f.On)
	if err != nil {
		return err
	}
	ended, err := w.awaitTurns(ctx, cut)
	if err != nil {
		return err
	}
	defer ended()
	began := trace.Fault{Verb: f.Verb, Target: f.Target(), Directions: cut}
	return w.begin(ctx, began, func(context.Context) (string, error) {
		if err := w.recordLosses(w.pair.Losses(f.On)); err != nil {
			return "", err
		}
		return w.pair.Heal(f.On)
	})()
}

// recordLosses records each loss.
func (w *World) recordLosses(losses []trace.Loss, err error) error {
	for _, l := range losses {
		w.record(trace.Event{At: hostclock.Now(), Kind: trace.KindLoss, Loss: &l})
	}
	return err
}

// inBackground executes a fault of one machine in parallel to the timeline, after the
// machine's previous fault has finished.
func (w *World) inBackground(ctx context.Context, f trace.Fault, do func(context.Context) (string, error)) error {
	ended := make(chan struct{})
	if err := w.awaitTurn(ctx, f.Hosts[0], ended); err != nil {
		close(ended)
		return err
	}
	finish := w.begin(ctx, f, do)
	go func() {
		defer close(ended)
		if err := finish(); err != nil {
			w.fail(err)
		}
	}()
	return nil
}

// awaitTurn waits until the previous fault of a machine or a direction has finished, and registers
// ended for the next one.
func (w *World) awaitTurn(ctx context.Context, of string, ended chan struct{}) error {
	w.mu.Lock()
	before := w.busy[of]
	w.busy[of] = ended
	w.mu.Unlock()
	if before == nil || before == ended {
		return nil
	}
	select {
	case <-before:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// awaitTurns waits until earlier faults of the same directions have finished, since another rule
// could drop the test frame that proves a cut. Later faults wait until done is called.
func (w *World) awaitTurns(ctx context.Context, rules []lab.Rule) (done func(), err error) {
	ended := make(chan struct{})
	for _, r := range rules {
		r.Only = ""
		if err := w.awaitTurn(ctx, r.String(), ended); err != nil {
			close(ended)
			return nil, err
		}
	}
	return func() { close(ended) }, nil
}

// Settle implements scenarios.World. Each fault ends by itself within faultLimit.
func (w *World) Settle(context.Context) error {
	w.mu.Lock()
	busy := slices.Collect(maps.Values(w.busy))
	w.mu.Unlock()
	for _, ended := range busy {
		<-ended
	}
	return nil
}

// begin records the beginning of a fault. The returned function executes the fault and
// records its receipt. A missing receipt is not an error: the trace says so, and the checks
// draw the conclusion.
func (w *World) begin(ctx context.Context, f trace.Fault, do func(context.Context) (string, error)) (finish func() error) {
	f.ID = int(w.faults.Add(1))
	event := func(phase, receipt string) {
		f := f
		f.Phase, f.Receipt = phase, receipt
		w.record(trace.Event{At: hostclock.Now(), Kind: trace.KindFault, Fault: &f})
	}
	event("begin", "")
	return func() error {
		ctx, cancel := context.WithTimeout(ctx, w.faultLimit())
		defer cancel()
		receipt, err := do(ctx)
		switch {
		case err == nil:
			event("receipt", receipt)
		case errors.Is(err, ErrNoReceipt):
			event("failed", err.Error())
		default:
			event("failed", err.Error())
			return fmt.Errorf("%s: %w", f.What(), err)
		}
		return nil
	}
}

func (w *World) restore(ctx context.Context, node string) (string, error) {
	process, receipt, err := w.pair.Restore(ctx, node, w.startNode)
	if err == nil {
		w.setProcess(node, process)
	}
	return receipt, err
}

// reload makes nodes reload their configuration, after rewriting it if the fault changes
// backends.
func (w *World) reload(ctx context.Context, f plan.Fault) error {
	backends, changed := f.Backends()
	return w.toNodes(ctx, f, func(ctx context.Context, p *Process) (string, error) {
		node := p.host.name
		if changed {
			if err := w.nodes.Rewrite(node, subject.Change{Backends: backends}); err != nil {
				return "", err
			}
		}
		return asked(subject.Pair.Reload)(w, ctx, node)
	})
}

func (w *World) drain(ctx context.Context, f plan.Fault) error {
	backend, deadline := f.Drained()
	return w.toNodes(ctx, f, func(ctx context.Context, p *Process) (string, error) {
		return answered(w.nodes.Drain(ctx, p.host.name, backend, deadline))
	})
}

// asked sends a request to a node. The receipt is the node's answer, even a refusal; the
// scenario states what must follow.
func asked(ask func(subject.Pair, context.Context, string) (string, error)) action {
	return func(w *World, ctx context.Context, node string) (string, error) {
		return answered(ask(w.nodes, ctx, node))
	}
}
