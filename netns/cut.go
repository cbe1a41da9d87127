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

// rule is a fault of one direction: what happens to the packets that one host sends to
// another on one link.
type rule struct {
	lab.Rule
	verb       string
	match      lab.Match    // selects the packets
	share      float64      // dropped at random; 0 for a cut, which drops all
	params     *link.Params // link model of a rule that diverts into a wire; nil for a rule that drops
	at         *filter
	key        filterKey
	testFrames int // test frames of the harness that it dropped
}

// same reports whether two rules have the same verb and select the same packets.
func (r *rule) same(o *rule) bool { return r.Rule == o.Rule && r.verb == o.verb }

func (r *rule) entry(seed uint64) filterEntry {
	e := entryOf(r.match)
	e.State = seed
	if r.share > 0 {
		e.Share = uint64(r.share * all)
	}
	if r.params != nil {
		e.Divert = uint32(r.at.wire.ifindex)
	}
	return e
}

func (r *rule) dropped() (uint64, error) { return r.at.dropped(r.key) }

// Cut drops the selected packets at the edge of each receiver. Cutting twice changes
// nothing. The receipt counts the drops of each direction: the harness sends a test frame,
// so that a cut is proven even without traffic. If the link is down, no frame can cross,
// and the receipt says that the program is attached.
func (p *Pair) Cut(ctx context.Context, on lab.Selector) (receipt string, err error) {
	prove, err := p.BeginCut(on)
	if err != nil {
		return "", err
	}
	return prove(ctx)
}

// BeginCut drops the selected packets from now on. The returned function gets the receipt, as Cut does.
func (p *Pair) BeginCut(on lab.Selector) (prove func(context.Context) (receipt string, err error), err error) {
	return p.installAll(on, rule{verb: fault.Cut}, 0, p.prove)
}

// Lose drops a share of the selected packets at random, from the seed. It replaces an
// earlier share of the same selector. The receipt says that the programs are attached,
// since a test frame may pass.
func (p *Pair) Lose(ctx context.Context, on lab.Selector, share float64, seed uint64) (receipt string, err error) {
	prove, err := p.installAll(on, rule{verb: fault.Lose, share: share}, seed, func(_ context.Context, r *rule, _ uint64) (string, error) {
		return fmt.Sprintf("%s: loses %g", r, share), r.at.attached()
	})
	if err != nil {
		return "", err
	}
	return prove(ctx)
}

// Impair diverts the selected packets over wires; each direction has its own link model. It
// replaces an earlier impairment with the same selector and verb. The receipt says that the
// diverting programs are attached.
func (p *Pair) Impair(ctx context.Context, on lab.Selector, verb string, params link.Params, seed uint64) (receipt string, err error) {
	prove, err := p.installAll(on, rule{verb: verb, params: &params}, seed, func(_ context.Context, r *rule, _ uint64) (string, error) {
		return fmt.Sprintf("%s: diverted over a wire", r), r.at.attached()
	})
	if err != nil {
		return "", err
	}
	return prove(ctx)
}

// installAll installs a rule for each selected direction. The returned function proves each of them.
func (p *Pair) installAll(on lab.Selector, like rule, seed uint64,
	prove func(context.Context, *rule, uint64) (string, error)) (receipts func(context.Context) (string, error), err error) {
	selected, err := p.topo.Selected(on)
	if err != nil {
		return nil, fmt.Errorf("netns: %w", err)
	}
	base := make([]uint64, len(selected))
	rules := make([]*rule, len(selected))
	for i, s := range selected {
		r := like
		r.Rule, r.match = s, p.match(s.Only, s.Link)
		held, err := p.install(&r, seed+uint64(i))
		if err != nil {
			return nil, noReceipt("%s: %w", s, err)
		}
		if base[i], err = held.dropped(); err != nil {
			return nil, noReceipt("%s: %w", s, err)
		}
		rules[i] = held
	}
	return func(ctx context.Context) (string, error) {
		list := make([]string, len(rules))
		for i, r := range rules {
			var err error
			if list[i], err = prove(ctx, r, base[i]); err != nil {
				return "", noReceipt("%w", err)
			}
		}
		return strings.Join(list, ", "), nil
	}, nil
}

// Heal removes the cuts and losses that the selector covers, or all of them if it is nil.
// The receipt says how many frames each had dropped.
func (p *Pair) Heal(on *lab.Selector) (receipt string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wanted, err := p.severed(on)
	if err != nil {
		return "", err
	}
	if len(wanted) == 0 {
		return "", noReceipt("heal: the selector covers no cut")
	}
	var receipts []string
	var errs []error
	for _, r := range wanted {
		n, err := r.dropped()
		errs = append(errs, err, r.at.unset(r.key))
		if r.params != nil {
			r.at.wire.removeLeg(r.key)
		}
		what := "dropped"
		if r.params != nil {
			what = "diverted over a wire"
		}
		receipts = append(receipts, fmt.Sprintf("%s healed: %d frames %s", r, n, what))
	}
	p.cuts = slices.DeleteFunc(p.cuts, func(r *rule) bool { return slices.Contains(wanted, r) })
	if err := errors.Join(errs...); err != nil {
		return "", noReceipt("heal: %w", err)
	}
	return strings.Join(receipts, ", "), nil
}

// Severed lists the cut or lossy directions that the selector covers, or all of them if it
// is nil.
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

// Losses lists how many frames each rule that the selector covers has dropped; nil covers
// all.
func (p *Pair) Losses(on *lab.Selector) ([]trace.Loss, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	rules, err := p.severed(on)
	var losses []trace.Loss
	for _, r := range rules {
		n, lossErr := r.dropped()
		if r.params != nil {
			n = r.at.wire.lost(r.key)
		}
		err = errors.Join(err, lossErr)
		if count := int(n) - r.testFrames; count > 0 {
			losses = append(losses, trace.Loss{Planned: true, Count: count, Where: r.String(), Why: r.verb})
		}
	}
	return losses, err
}

// Overruns lists the frames that arrived faster than the wires could read them.
func (p *Pair) Overruns() ([]trace.Loss, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var losses []trace.Loss
	var errs []error
	for at, f := range p.filters { // order does not matter
		if f.wire == nil {
			continue
		}
		n, err := f.wire.dropped()
		errs = append(errs, err)
		if n > 0 {
			losses = append(losses, trace.Loss{Count: int(n), Where: "the wire of " + at.host.name, Why: "frames arrived faster than it could read them"})
		}
	}
	return losses, errors.Join(errs...)
}

// Dropped returns how many frames the rules that the selector covers have dropped or
// diverted.
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

// install installs a rule and returns it. An equal rule that exists is returned instead.
func (p *Pair) install(r *rule, seed uint64) (_ *rule, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.at, err = p.filterOf(r.Rule, r.params != nil); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(p.cuts, r.same)
	switch {
	case i < 0:
		r.key, err = r.at.claim(p.senderOf(r.Rule), r)
	case p.cuts[i].share == r.share && r.params == nil:
		return p.cuts[i], nil
	default:
		r.key = p.cuts[i].key
	}
	if err == nil && r.params != nil {
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

// connect makes the wire of a rule's filter if there is none, and gives the wire the rule's
// link model.
func (p *Pair) connect(r *rule, seed uint64) error {
	if err := r.at.needWire(); err != nil {
		return err
	}
	model, err := link.New(*r.params, seed)
	if err != nil {
		return err
	}
	l := leg{key: r.key, match: r.match, model: model}
	if r.params.Tell {
		if l.icmp, err = newICMPSender(p.byName[r.To], r.Link); err != nil {
			return err
		}
	}
	r.at.wire.addLeg(l)
	return nil
}

func (p *Pair) senderOf(r lab.Rule) net.HardwareAddr {
	sender, _ := p.byName[r.From].Interface(r.Link)
	return sender.MAC
}

// Prepare attaches the filters of a selector and makes their wires in advance, so that a
// later fault takes effect at once.
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

// filterOf returns the filter of a rule. On a switch it sits at the egress of the
// receiver's port, so that the receiver's own programs are untouched. The cable has no
// switch port. There a dropping rule sits at the receiver's ingress, because a sender whose
// own device drops a frame gets an error; a diverting rule sits at the sender's egress.
func (p *Pair) filterOf(r lab.Rule, diverts bool) (*filter, error) {
	receiver, _ := p.byName[r.To].Interface(r.Link)
	at := attachPoint{p.byName[r.Link], receiver.PortIndex, ebpf.AttachTCXEgress}
	if r.Link == lab.Sync {
		at.host, at.hook = p.byName[r.To], ebpf.AttachTCXIngress
		if diverts {
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
