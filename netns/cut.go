package netns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf"

	"baton/scenarios/lab"
)

// rule drops what one host sends to another on one link.
type rule struct {
	lab.Rule
	*dropper
	where   *Host
	ifindex int
	hook    ebpf.AttachType
}

func (r *rule) same(other *rule) bool { return r.Rule == other.Rule }

func (r *rule) remove() error {
	if err := r.close(); err != nil {
		return fmt.Errorf("netns: heal %s: %w", r, err)
	}
	return nil
}

// Cut drops what the selector names, at the edge of each receiver. The receipt is what
// was dropped of each direction: the harness sends a frame of its own over it, so that a
// cut proves itself whether or not anything else is sent. Where a link is down and no frame
// can cross, it is that the program is attached. What is cut already stays cut.
func (p *Pair) Cut(ctx context.Context, on lab.Selector) (receipt string, err error) {
	rules, err := p.topo.Selected(on)
	if err != nil {
		return "", fmt.Errorf("netns: cut %w", err)
	}
	base := map[*rule]uint64{}
	var cut []*rule
	for _, selected := range rules {
		r, err := p.attach(&rule{Rule: selected})
		if err != nil {
			return "", noReceipt("cut %s: %w", selected, err)
		}
		if base[r], err = r.dropped(); err != nil {
			return "", noReceipt("cut %s: %w", r, err)
		}
		cut = append(cut, r)
	}
	seen := make([]string, len(cut))
	for i, r := range cut {
		if seen[i], err = p.prove(ctx, r, base[r]); err != nil {
			return "", noReceipt("cut: %w", err)
		}
	}
	return strings.Join(seen, ", "), nil
}

// Heal undoes cuts: those that cut describes, or all of them if it is nil. The
// receipt says how many frames each had dropped.
func (p *Pair) Heal(cut *lab.Selector) (receipt string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wanted, err := p.severed(cut)
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
		errs = append(errs, err, r.remove())
		seen = append(seen, fmt.Sprintf("%s healed: %d had been dropped", r, n))
	}
	p.cuts = slices.DeleteFunc(p.cuts, func(r *rule) bool { return slices.Contains(wanted, r) })
	if err := errors.Join(errs...); err != nil {
		return "", noReceipt("heal: %w", err)
	}
	return strings.Join(seen, ", "), nil
}

// Severed lists the directions that are cut, of those that are selected or of all.
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

func (p *Pair) severed(on *lab.Selector) ([]*rule, error) {
	if on == nil {
		return slices.Clone(p.cuts), nil
	}
	selected, err := p.topo.Selected(*on)
	if err != nil {
		return nil, fmt.Errorf("netns: %w", err)
	}
	return slices.DeleteFunc(slices.Clone(p.cuts), func(r *rule) bool { return !slices.Contains(selected, r.Rule) }), nil
}

// attach makes a rule hold and returns it, or the one that already does the same.
func (p *Pair) attach(r *rule) (*rule, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.IndexFunc(p.cuts, r.same); i >= 0 {
		return p.cuts[i], nil
	}
	sender, _ := p.byName[r.From].Interface(r.Link)
	receiver, _ := p.byName[r.To].Interface(r.Link)
	// On a switch the port that faces the receiver drops what leaves by it, so that
	// the receiver's own programs are untouched. The cable has no such place.
	where, ifindex, hook := p.byName[r.Link], receiver.PortIndex, ebpf.AttachTCXEgress
	if r.Link == lab.Sync {
		where, hook = p.byName[r.To], ebpf.AttachTCXIngress
		link, err := where.links.LinkByName(SyncSide)
		if err != nil {
			return nil, fmt.Errorf("find %s/%s: %w", r.To, SyncSide, err)
		}
		ifindex = link.Attrs().Index
	}
	r.where, r.ifindex, r.hook = where, ifindex, hook
	err := where.Do(func() (err error) {
		r.dropper, err = attachDropper(ifindex, hook, sender.MAC)
		return err
	})
	if err != nil {
		return nil, err
	}
	p.cuts = append(p.cuts, r)
	p.programs = append(p.programs, r.id)
	return r, nil
}
