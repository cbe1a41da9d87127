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
	if second := slices.IndexFunc(line.Targets, func(t *target) bool { return t.To == nil && b.begins(t.From, verb) }); second >= 0 {
		b.errorf(position(line.Targets[second].Pos), "", "%s", oneFault)
		return &Fault{Verb: verb.Word}
	}
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

// begins reports whether a word that stands where a target is expected begins another step.
func (b *builder) begins(w *word, verb fault.Verb) bool {
	_, other := fault.Of(w.Text)
	return (other || w.Text == "then") && !verb.HasWay(w.Text) && !b.packets(w)
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
		meant := ""
		if lasts := mustDirective(line.Verb).lasting(line.Amount.Text); lasts != "" && line.For == nil && len(f.Hosts) > 0 {
			meant = strings.Join(append([]string{line.Verb}, f.Hosts...), " ") + " " + lasts
		}
		b.errorf(position(line.Amount.Pos), meant, "unexpected %q; the form is: %s", line.Amount.Text, verb.Usage())
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
		_, _, host := lab.ParseName(t.From.Text)
		if verb.Names != "" && (t.To != nil || !host && Nearest(t.From.Text, lab.Nodes()) == "") {
			b.errorf(position(t.Pos), "", "unexpected %q: %s names %s; the form is: %s", t.text(), verb.Word, verb.Names, usage)
			return nil
		}
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
	if line.Via == nil {
		b.errorf(position(line.Pos), withVia(line.Targets), "%s on which link? Links are %s; the form is: %s", line.Verb, strings.Join(links, ", "), verb.Usage())
		return nil, ""
	}
	hosts = b.machines(verb, line)
	switch {
	case len(hosts) > 1:
		b.errorf(position(line.Targets[1].Pos), "", "%s takes one host; write a step for each. The form is: %s", line.Verb, verb.Usage())
	default:
		via, _ = b.link(line.Via)
	}
	return hosts, via
}

// withVia joins a host and a link, "" if one of them is missing.
func withVia(targets []*target) string {
	if len(targets) != 2 || !slices.Contains(links, targets[1].text()) {
		return ""
	}
	return targets[0].text() + " via " + targets[1].text()
}

// machine reports whether a word names a host on which the verb can be executed. lint checks
// that the lab has that host.
func (b *builder) machine(verb fault.Verb, w *word) bool {
	kind, _, ok := lab.ParseName(w.Text)
	switch {
	case !ok && several(w.Text) != "":
		b.errorf(position(w.Pos), "", "unknown host %q: a step names each host, as in %s %s", w.Text, verb.Word, several(w.Text))
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

// several returns the hosts that a plural or a group word stands for, "" for other words.
func several(word string) string {
	switch singular := strings.TrimSuffix(strings.ToLower(word), "s"); {
	case slices.Contains([]string{lab.Node.String(), "node", "balancer", "router", "both", "all", "pair"}, singular):
		return strings.Join(lab.Nodes(), " ")
	case singular == lab.Client.String():
		return lab.Name(lab.Client, 1)
	case slices.Contains([]string{lab.Backend.String(), "server"}, singular):
		return lab.Name(lab.Backend, 1) + " " + lab.Name(lab.Backend, 2)
	}
	return ""
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
	if b.undirected(line.Targets) {
		return nil
	}
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
		case t.To == nil && ourWord(foreignVia, t.From.Text) != "":
			b.errorf(position(t.Pos), ourWord(foreignVia, t.From.Text), "unexpected %q; the form is: %s", t.text(), usage)
			return nil
		case t.To == nil && slices.Contains(links, t.From.Text):
			b.errorf(position(t.Pos), "via "+t.From.Text, "unexpected %q; the form is: %s", t.text(), usage)
		case t.To == nil && b.packets(t.From):
			b.errorf(position(t.Pos), t.From.Text+" "+ends.text(), "the packets come before the hosts; the form is: %s", usage)
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

// undirected reports two hosts, or a host and a group, without an arrow between them.
func (b *builder) undirected(targets []*target) bool {
	var hosts []*target
	arrow := "<->"
	for i, t := range targets {
		_, _, host := lab.ParseName(t.From.Text)
		switch group := t.From.Text == lab.Clients || t.From.Text == lab.Backends; {
		case t.To != nil:
			return false
		case host, group && len(hosts) > 0:
			hosts = append(hosts, t)
		case t.From.Text == "to" && i > 0:
			arrow = "->"
		}
	}
	if len(hosts) < 2 {
		return false
	}
	b.errorf(position(hosts[0].Pos), hosts[0].text()+arrow+hosts[1].text(), "no arrow between %s and %s; -> is one direction, <-> is both", hosts[0].text(), hosts[1].text())
	return true
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
