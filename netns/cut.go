package netns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/cilium/ebpf"

	"baton/impl/trace"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/link"
)

// rule is what is done to what one host sends to another on one link.
type rule struct {
	lab.Rule
	verb  string
	match lab.Match    // of the packets that it concerns
	share float64      // that is dropped, 0: all of them, by a cut
	leads *link.Params // into a wire, nil for a rule that drops
	at    *filter
	key   filterKey
	tried int // frames of the harness's own that it has dropped
}

// same reports whether another rule does the same to the same packets, but for how much.
func (r *rule) same(o *rule) bool { return r.Rule == o.Rule && r.verb == o.verb }

func (r *rule) entry(seed uint64) filterEntry {
	e := entryOf(r.match)
	e.State = seed
	if r.share > 0 {
		e.Share = uint64(r.share * all)
	}
	if r.leads != nil {
		e.Divert = uint32(r.at.wire.ifindex)
	}
	return e
}

func (r *rule) dropped() (uint64, error) { return r.at.dropped(r.key) }

// Cut drops what the selector names, at the edge of each receiver. The receipt is what
// was dropped of each direction: the harness sends a frame of its own over it, so that a
// cut proves itself whether or not anything else is sent. Where a link is down and no frame
// can cross, it is that the program is attached. What is cut already stays cut.
func (p *Pair) Cut(ctx context.Context, on lab.Selector) (receipt string, err error) {
	return p.imposeAll(ctx, on, rule{verb: fault.Cut}, 0, p.prove)
}

// Lose drops a share of what the selector names, at random by the seed. The receipt is
// that the programs are attached: a frame proves nothing where some pass. It replaces
// an earlier share of the same.
func (p *Pair) Lose(ctx context.Context, on lab.Selector, share float64, seed uint64) (receipt string, err error) {
	return p.imposeAll(ctx, on, rule{verb: fault.Lose, share: share}, seed, func(_ context.Context, r *rule, _ uint64) (string, error) {
		return fmt.Sprintf("%s: loses %g", r, share), r.at.attached()
	})
}

// Impair leads what the selector names over wires, each direction with a model of its own.
// It replaces an earlier impairment of the same by the same verb. The receipt is that the programs are
// attached which lead the frames there.
func (p *Pair) Impair(ctx context.Context, on lab.Selector, verb string, params link.Params, seed uint64) (receipt string, err error) {
	return p.imposeAll(ctx, on, rule{verb: verb, leads: &params}, seed, func(_ context.Context, r *rule, _ uint64) (string, error) {
		return fmt.Sprintf("%s: led over a wire", r), r.at.attached()
	})
}

func (p *Pair) imposeAll(ctx context.Context, on lab.Selector, like rule, seed uint64,
	prove func(context.Context, *rule, uint64) (string, error)) (receipt string, err error) {
	selected, err := p.topo.Selected(on)
	if err != nil {
		return "", fmt.Errorf("netns: %w", err)
	}
	base := make([]uint64, len(selected))
	rules := make([]*rule, len(selected))
	for i, s := range selected {
		r := like
		r.Rule, r.match = s, p.match(s.Only, s.Link)
		held, err := p.impose(&r, seed+uint64(i))
		if err != nil {
			return "", noReceipt("%s: %w", s, err)
		}
		if base[i], err = held.dropped(); err != nil {
			return "", noReceipt("%s: %w", s, err)
		}
		rules[i] = held
	}
	seen := make([]string, len(rules))
	for i, r := range rules {
		if seen[i], err = prove(ctx, r, base[i]); err != nil {
			return "", noReceipt("%w", err)
		}
	}
	return strings.Join(seen, ", "), nil
}

// Heal undoes cuts and losses: those that the selector covers, or all of them if it is
// nil. The receipt says how many frames each had dropped.
func (p *Pair) Heal(on *lab.Selector) (receipt string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wanted, err := p.severed(on)
	if err != nil {
		return "", err
	}
	if len(wanted) == 0 {
		return "", noReceipt("heal: nothing of it is cut")
	}
	var seen []string
	var errs []error
	for _, r := range wanted {
		n, err := r.dropped()
		errs = append(errs, err, r.at.unset(r.key))
		if r.leads != nil {
			r.at.wire.unlead(r.key)
		}
		what := "dropped"
		if r.leads != nil {
			what = "led over a wire"
		}
		seen = append(seen, fmt.Sprintf("%s healed: %d had been %s", r, n, what))
	}
	p.cuts = slices.DeleteFunc(p.cuts, func(r *rule) bool { return slices.Contains(wanted, r) })
	if err := errors.Join(errs...); err != nil {
		return "", noReceipt("heal: %w", err)
	}
	return strings.Join(seen, ", "), nil
}

// Severed lists the directions that are cut or lossy, of those that the selector covers
// or of all.
func (p *Pair) Severed(on *lab.Selector) ([]lab.Rule, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cut, err := p.severed(on)
	rules := make([]lab.Rule, len(cut))
	for i, r := range cut {
		rules[i] = r.Rule
	}
	return rules, err
}

// Losses lists what the rules that the selector covers have taken, or all rules if it is nil.
func (p *Pair) Losses(on *lab.Selector) ([]trace.Loss, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	rules, err := p.severed(on)
	var losses []trace.Loss
	for _, r := range rules {
		n, lossErr := r.dropped()
		if r.leads != nil {
			n = r.at.wire.lost(r.key)
		}
		err = errors.Join(err, lossErr)
		if count := int(n) - r.tried; count > 0 {
			losses = append(losses, trace.Loss{Planned: true, Count: count, Where: r.String(), Why: r.verb})
		}
	}
	return losses, err
}

// Overruns lists the frames that came faster than the wires read them.
func (p *Pair) Overruns() ([]trace.Loss, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var losses []trace.Loss
	var errs []error
	for at, f := range p.filters { // in any order: each is told
		if f.wire == nil {
			continue
		}
		n, err := f.wire.dropped()
		errs = append(errs, err)
		if n > 0 {
			losses = append(losses, trace.Loss{Count: int(n), Where: "the wire of " + at.host.name, Why: "frames came faster than it read them"})
		}
	}
	return losses, errors.Join(errs...)
}

// Dropped is how many frames have been dropped, or led over a wire, of those that the
// selector covers.
func (p *Pair) Dropped(on lab.Selector) (sum uint64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	rules, err := p.severed(&on)
	for _, r := range rules {
		n, dropErr := r.dropped()
		sum, err = sum+n, errors.Join(err, dropErr)
	}
	return sum, err
}

func (p *Pair) severed(on *lab.Selector) ([]*rule, error) {
	if on == nil {
		return slices.Clone(p.cuts), nil
	}
	selected, err := p.topo.Selected(*on)
	if err != nil {
		return nil, fmt.Errorf("netns: %w", err)
	}
	return slices.DeleteFunc(slices.Clone(p.cuts), func(r *rule) bool { return !lab.Covers(selected, r.Rule) }), nil
}

// impose makes a rule hold and returns it, or the one that already does the same.
func (p *Pair) impose(r *rule, seed uint64) (_ *rule, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.at, err = p.filterOf(r.Rule, r.leads != nil); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(p.cuts, r.same)
	switch {
	case i < 0:
		r.key, err = r.at.claim(p.senderOf(r.Rule), r.leads != nil)
	case p.cuts[i].share == r.share && r.leads == nil:
		return p.cuts[i], nil
	default:
		r.key = p.cuts[i].key
	}
	if err == nil && r.leads != nil {
		err = p.connect(r, seed)
	}
	if err == nil {
		err = r.at.set(r.key, r.entry(seed))
	}
	if err != nil {
		return nil, err
	}
	if i >= 0 {
		p.cuts[i] = r
	} else {
		p.cuts = append(p.cuts, r)
	}
	return r, nil
}

// connect gives a rule's filter a wire, if it has none, and the wire the rule's model.
func (p *Pair) connect(r *rule, seed uint64) error {
	if err := r.at.needWire(); err != nil {
		return err
	}
	model, err := link.New(*r.leads, seed)
	if err != nil {
		return err
	}
	l := leg{key: r.key, match: r.match, model: model}
	if r.leads.Tell {
		if l.tell, err = newTeller(p.byName[r.To], r.Link); err != nil {
			return err
		}
	}
	r.at.wire.lead(l)
	return nil
}

func (p *Pair) senderOf(r lab.Rule) net.HardwareAddr {
	sender, _ := p.byName[r.From].Interface(r.Link)
	return sender.MAC
}

// Prepare attaches the filters of a selector, and makes their wires, so that what is done to it later takes
// hold at once.
func (p *Pair) Prepare(on lab.Selector, wires bool) error {
	rules, err := p.topo.Selected(on)
	if err != nil {
		return fmt.Errorf("netns: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range rules {
		f, err := p.filterOf(r, wires)
		if err == nil && wires {
			err = f.needWire()
		}
		if err != nil {
			return fmt.Errorf("netns: prepare %s: %w", r, err)
		}
	}
	return nil
}

// filterOf returns the filter of a rule. On a switch that is at the port that faces the
// receiver, on what leaves by it, so that the receiver's own programs are untouched. The
// cable has no such place: what is dropped there is dropped as it arrives, since a sender
// whose own device refuses a frame is told; what is led over a wire, as it leaves.
func (p *Pair) filterOf(r lab.Rule, leads bool) (*filter, error) {
	receiver, _ := p.byName[r.To].Interface(r.Link)
	at := place{p.byName[r.Link], receiver.PortIndex, ebpf.AttachTCXEgress}
	if r.Link == lab.Sync {
		at.host, at.hook = p.byName[r.To], ebpf.AttachTCXIngress
		if leads {
			at.host, at.hook = p.byName[r.From], ebpf.AttachTCXEgress
		}
		device, err := at.host.links.LinkByName(SyncSide)
		if err != nil {
			return nil, fmt.Errorf("find %s/%s: %w", at.host.name, SyncSide, err)
		}
		at.ifindex = device.Attrs().Index
	}
	if f := p.filters[at]; f != nil {
		return f, nil
	}
	f, err := attachFilter(at)
	if err != nil {
		return nil, err
	}
	p.filters[at] = f
	p.programs = append(p.programs, f.id)
	return f, nil
}
