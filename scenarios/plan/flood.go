package plan

import (
	"slices"
	"strings"
	"time"

	"baton/scenarios/fault"
	"baton/scenarios/lab"
)

// floodLimit is the longest duration of a flood.
const floodLimit = time.Minute

// flood reads KIND [SERVICE|NODE] from CLIENT … for DURATION.
func (b *builder) flood(verb fault.Verb, line *faultLine, f *Fault) {
	var words []*word
	for _, t := range line.Targets {
		if t.To != nil {
			b.errorf(position(t.Pos), "", "unexpected %q; the form is: %s", t.text(), verb.Usage())
			return
		}
		words = append(words, t.From)
	}
	switch {
	case line.Via != nil:
		b.errorf(position(line.Via.Pos), "", "%s takes no via; the form is: %s", line.Verb, verb.Usage())
	case line.Every != nil:
		b.errorf(position(line.Every.Pos), "", "%s takes a rate, not every; the form is: %s", line.Verb, verb.Usage())
	case len(words) == 0:
		b.errorf(position(line.Pos), "", "flood of which kind? The form is: %s", verb.Usage())
	case len(words) > 2:
		b.errorf(position(words[2].Pos), "", "unexpected %q; the form is: %s", words[2].Text, verb.Usage())
	case line.Sender == nil:
		b.errorf(position(line.Pos), "", "flood from which client? The form is: %s", verb.Usage())
	case line.For == nil:
		b.errorf(position(line.Pos), "", "flood for how long? The form is: %s", verb.Usage())
	default:
		f.Flood, _ = b.pick(words[0], "kind of flood", fault.FloodKindNames())
		if b.machine(verb, line.Sender) {
			f.Hosts = []string{line.Sender.Text}
		}
		if f.To = b.meant(f.Flood); len(words) == 2 {
			f.To = words[1].Text
		}
		b.time(line.For, f)
	}
}

// meant is the target of a flood that names none: the only service of its protocol, "" if there are
// several.
func (b *builder) meant(kind string) string {
	k, _ := fault.FloodKindOf(kind)
	to := ""
	for _, s := range b.plan.Services {
		if !k.Node && (k.Proto == "" || k.Proto == s.Proto) {
			if to != "" {
				return ""
			}
			to = s.Name
		}
	}
	return to
}

func (b *builder) time(q *quantity, f *Fault) {
	canonical, err := span(time.Millisecond, floodLimit)(q.Text)
	if err != nil {
		b.refuse(q.Pos, "for", err)
		return
	}
	f.Time = timed(canonical)
}

// Rate is the number of packets that a flood sends in a second.
func (f Fault) Rate() float64 {
	return numeric(strings.TrimSuffix(f.Arg(fault.KeyRate), "/s"))
}

// flood checks that the target exists, and that the rate and the number of packets are bounded.
func (t *timeline) flood(s Step) {
	f := s.Fault
	if t.broken["step"] {
		return
	}
	for _, host := range f.Hosts {
		t.host(s.Pos, host)
		if t.hosts[host] == fault.Crashed {
			t.errorf(s.Pos, host, "", "flood from %s: %s is down", host, host)
		}
	}
	kind, _ := fault.FloodKindOf(f.Flood)
	service := slices.IndexFunc(t.Services, func(svc Service) bool { return svc.Name == f.To && meet(svc.Guard, Guard(t.world)) })
	switch {
	case kind.Node && f.To == "":
		t.errorf(s.Pos, f.Flood, "", "flood %s: to which node? Use %s", f.Flood, oneOf(lab.Nodes()))
	case kind.Node && !lab.IsNode(f.To):
		t.errorf(s.Pos, f.To, Nearest(f.To, lab.Nodes()), "unknown node %q", f.To)
	case kind.Node:
	case f.To == "":
		t.errorf(s.Pos, f.Flood, "", "flood %s: to which service? Name one", f.Flood)
	case service < 0:
		t.errorf(s.Pos, f.To, Nearest(f.To, t.serviceNames()), "unknown service %q", f.To)
	case kind.Proto != "" && t.Services[service].Proto != kind.Proto:
		t.errorf(s.Pos, f.To, "", "flood %s: service %q is %s, not %s", f.Flood, f.To, t.Services[service].Proto, kind.Proto)
	}
	switch packets := f.Rate() * f.Time.Seconds(); {
	case f.Rate() == 0:
		t.errorf(s.Pos, "rate", "", "the rate of a flood is a number of packets, such as 1000/s")
	case packets > fault.MaxFlood:
		t.errorf(s.Pos, "rate", "", "%.0f packets: a flood has at most %d", packets, fault.MaxFlood)
	}
}

func (p *Plan) serviceNames() []string {
	var names []string
	for _, s := range p.Services {
		names = append(names, s.Name)
	}
	return names
}
