package plan

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"baton/scenarios/fault"
	"baton/scenarios/lab"
)

// fault reads a verb with its operands.
func (b *builder) fault(line *faultLine) *Fault {
	verb, _ := fault.Of(line.Verb)
	f := &Fault{Verb: verb.Word, Way: b.way(verb, line)}
	switch verb.On {
	case fault.Machines, fault.Traits:
		f.Hosts = b.machines(verb, line)
	case fault.Senders:
		b.flood(verb, line, f)
	case fault.Programs:
		b.program(verb, line, f)
	case fault.Ports:
		f.Hosts, f.Via = b.port(verb, line)
	default:
		f.On = b.selector(verb, line)
	}
	if line.Sender != nil && verb.On != fault.Senders {
		b.errorf(position(line.Sender.Pos), "", "%s takes no from; the form is: %s", line.Verb, verb.Usage())
	}
	if (line.Command != nil || line.As != nil) && verb.On != fault.Programs {
		b.errorf(position(line.Pos), "", "%s takes no command; the form is: %s", line.Verb, verb.Usage())
	}
	b.amount(verb, line, f)
	b.args(verb, line, f)
	if verb.As != "" {
		f.Verb = verb.As
		if line.Every == nil {
			b.errorf(position(line.Pos), "", "%s every how long? The form is: %s", line.Verb, verb.Usage())
		}
	}
	return f
}

// way removes the word that selects a way of the verb from the line, and returns it.
func (b *builder) way(verb fault.Verb, line *faultLine) string {
	if len(verb.Ways) == 0 {
		return ""
	}
	i := slices.IndexFunc(line.Targets, func(t *target) bool { return t.To == nil && verb.HasWay(t.From.Text) })
	if i < 0 {
		i = slices.IndexFunc(line.Targets, func(t *target) bool { _, _, host := lab.ParseName(t.From.Text); return !host })
	}
	if i < 0 {
		b.errorf(position(line.Pos), "", "%s how? The form is: %s", line.Verb, verb.Usage())
		return ""
	}
	word := line.Targets[i].From
	line.Targets = slices.Delete(line.Targets, i, i+1)
	way, _ := b.pick(word, "way to "+verb.Word, verb.WayNames())
	return way
}

// The durations that a verb such as delay takes.
const timeLeast, timeMost = time.Millisecond, time.Second

// amount reads the share or the duration that a verb takes.
func (b *builder) amount(verb fault.Verb, line *faultLine, f *Fault) {
	takes := verb.Share || verb.Time
	switch {
	case !takes && line.Amount == nil:
		return
	case !takes:
		b.errorf(position(line.Amount.Pos), "", "unexpected %q; the form is: %s", line.Amount.Text, verb.Usage())
		return
	case line.Amount == nil:
		b.errorf(position(line.Pos), "", "%s what? The form is: %s", line.Verb, verb.Usage())
		return
	}
	var canonical string
	var err error
	if verb.Share {
		canonical, err = share(line.Amount.Text)
		f.Share = numeric(canonical)
	} else {
		canonical, err = span(timeLeast, timeMost)(line.Amount.Text)
		f.Time = timed(canonical)
	}
	if err == nil && f.Share == 0 && f.Time == 0 {
		err = &wrong{message: line.Amount.Text + " has no effect"}
	}
	if err != nil {
		b.refuse(line.Amount.Pos, verb.Word, err)
	}
}

func (b *builder) machines(verb fault.Verb, line *faultLine) []string {
	usage := mustDirective(line.Verb).usage
	if len(line.Targets) == 0 {
		b.errorf(position(line.Pos), "", "%s what? The form is: %s", line.Verb, usage)
	}
	if line.Via != nil && verb.On != fault.Ports {
		b.errorf(position(line.Via.Pos), "", "%s takes no via; the form is: %s", line.Verb, usage)
	}
	var list []string
	for _, t := range line.Targets {
		if t.To != nil {
			b.errorf(position(t.Pos), "", "%s is not a host; the form is: %s", t.text(), usage)
			continue
		}
		if name := t.From.Text; b.machine(verb, t.From) {
			if slices.Contains(list, name) {
				b.errorf(position(t.Pos), "", "%q is listed twice", name)
				continue
			}
			list = append(list, name)
		}
	}
	return list
}

// port reads HOST via LINK, or LINK.
func (b *builder) port(verb fault.Verb, line *faultLine) (hosts []string, via string) {
	if len(line.Targets) == 1 && line.Via == nil && line.Targets[0].To == nil && slices.Contains(links, line.Targets[0].From.Text) {
		return nil, line.Targets[0].From.Text
	}
	hosts = b.machines(verb, line)
	switch {
	case line.Via == nil:
		b.errorf(position(line.Pos), "", "%s on which link? The form is: %s", line.Verb, verb.Usage())
	case len(hosts) > 1:
		b.errorf(position(line.Targets[1].Pos), "", "%s takes one host; write a step for each. The form is: %s", line.Verb, verb.Usage())
	default:
		via, _ = b.link(line.Via)
	}
	return hosts, via
}

// machine reports whether a word names a host on which the verb can be executed. lint checks
// that the lab has that host.
func (b *builder) machine(verb fault.Verb, w *word) bool {
	kind, _, ok := lab.ParseName(w.Text)
	switch {
	case !ok:
		meant := Nearest(w.Text, append(lab.Nodes(), lab.Name(lab.Backend, 1)))
		if meant == "" {
			b.errorf(position(w.Pos), "", "unknown host %q: use %s, or a host such as %s or %s", w.Text, strings.Join(lab.Nodes(), ", "), lab.Name(lab.Client, 1), lab.Name(lab.Backend, 1))
			break
		}
		b.errorf(position(w.Pos), meant, "unknown host %q", w.Text)
	case !slices.Contains(verb.Kinds, kind):
		b.errorf(position(w.Pos), "", "%s %s: that is a %s, but the verb takes a %s; the form is: %s", verb.Word, w.Text, kind.Noun(), oneOf(nouns(verb.Kinds)), verb.Usage())
		ok = false
	}
	return ok
}

func nouns(kinds []lab.Kind) []string {
	words := make([]string, len(kinds))
	for i, kind := range kinds {
		words[i] = kind.Noun()
	}
	return words
}

func (t *target) text() string {
	if t.To == nil {
		return t.From.Text
	}
	return t.From.Text + t.Arrow + t.To.Text
}

// selector reads [PACKETS] [LINK] [FROM->TO] [via LINK]. It returns nil for a heal of
// everything, and after an error. A service must be defined above the line that names it.
func (b *builder) selector(verb fault.Verb, line *faultLine) *lab.Selector {
	usage := mustDirective(line.Verb).usage
	if verb.All && line.Via == nil && (len(line.Targets) == 0 || len(line.Targets) == 1 && line.Targets[0].text() == "all") {
		return nil
	}
	before := len(b.found)
	var ends *target
	var link *word
	only := ""
	for _, t := range line.Targets {
		switch {
		case t.To == nil && ends == nil && only == "" && b.packets(t.From):
			if only = t.From.Text; slices.Contains(lab.KindNames(), strings.ToLower(only)) {
				only = strings.ToLower(only)
			}
		case t.To == nil && ends == nil && b.unknownWord(t.From):
		case t.To == nil && ends == nil:
			link = b.second(link, t.From)
		case t.To != nil && ends == nil:
			ends = t
		default:
			b.errorf(position(t.Pos), "", "unexpected %q; the form is: %s", t.text(), usage)
		}
	}
	if line.Via != nil {
		link = b.second(link, line.Via)
	}
	via := ""
	if link != nil {
		via, _ = b.link(link)
	}
	switch {
	case len(b.found) > before:
	case ends != nil:
		return &lab.Selector{From: ends.From.Text, To: ends.To.Text, Both: ends.Arrow == "<->", Via: via, Only: only}
	case via == lab.Sync, via == "" && slices.Contains(betweenNodes, only):
		between := lab.Between(via)
		between.Only = only
		return &between
	case via != "", only != "":
		b.errorf(position(line.Pos), "", "%s %s: between which hosts? The form is: %s", line.Verb, cmp.Or(via, only), usage)
	default:
		b.errorf(position(line.Pos), "", "%s what? The form is: %s", line.Verb, usage)
	}
	return nil
}

// betweenNodes are the kinds of packets that the nodes send only to each other.
var betweenNodes = []string{lab.BFD, lab.Stream}

// packets reports whether a word names a kind of packets or a service.
func (b *builder) packets(w *word) bool {
	return slices.Contains(lab.KindNames(), strings.ToLower(w.Text)) ||
		slices.ContainsFunc(b.plan.Services, func(s Service) bool { return s.Name == w.Text }) && !slices.Contains(links, w.Text)
}

// unknownWord reports a word before the hosts that resembles no link, kind of packets or service.
func (b *builder) unknownWord(w *word) bool {
	kinds := slices.Concat(lab.KindNames(), b.plan.serviceNames())
	if strings.Contains(w.Text, "-") || slices.Contains(links, w.Text) || Nearest(w.Text, slices.Concat(links, kinds)) != "" {
		return false
	}
	if _, _, host := lab.ParseName(w.Text); host {
		b.errorf(position(w.Pos), "", "%s is one end of a path; name both: %s<->HOST", w.Text, w.Text)
		return true
	}
	b.errorf(position(w.Pos), "", "unknown link or kind of packets %q: links are %s; kinds are %s", w.Text, strings.Join(links, ", "), strings.Join(kinds, ", "))
	return true
}

// second returns link, and reports an error if a link was named already.
func (b *builder) second(first, link *word) *word {
	if first != nil {
		b.errorf(position(link.Pos), "", "a second link; name one")
	}
	return link
}

// link returns the link that a word names. For lb1-lb2 it suggests lb1->lb2.
func (b *builder) link(w *word) (string, bool) {
	if from, to, two := strings.Cut(w.Text, "-"); two {
		b.errorf(position(w.Pos), from+"->"+to, "unknown link %q", w.Text)
		return "", false
	}
	if words := slices.Concat(lab.KindNames(), b.plan.serviceNames()); !slices.Contains(links, w.Text) && Nearest(w.Text, links) == "" && Nearest(w.Text, words) != "" {
		b.errorf(position(w.Pos), Nearest(w.Text, words), "unknown kind of packets %q", w.Text)
		return "", false
	}
	return b.pick(w, "link", links)
}
