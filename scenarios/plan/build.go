package plan

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"baton/impl/flow"
	"baton/scenarios/lab"

	"github.com/alecthomas/participle/v2/lexer"
)

// builder builds a Plan from parsed lines. It checks single words; lint checks lines against each
// other.
type builder struct {
	source *source
	bound  *bound
	plan   *Plan
	found  Diagnostics
	// broken has the directives with a line that could not be parsed. Lint does not report
	// problems that may follow from that.
	broken map[string]bool
	block  *block         // the repeat being read, nil outside of one
	undone []Step         // steps that undo others, not yet inserted at their times
	once   map[string]Pos // the position of each directive that may appear only once
}

var defaultTopo = Topo{Kind: "pair", Clients: 1, Backends: 2}

var scenarioName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

func (b *builder) errorf(at Pos, suggestion, format string, args ...any) {
	b.found = append(b.found, Diagnostic{Pos: at, Message: fmt.Sprintf(format, args...), Suggestion: suggestion})
}

// refuse reports an error of the quantity and key parsers.
func (b *builder) refuse(at lexer.Position, what string, err error) {
	suggestion := ""
	var w *wrong
	if errors.As(err, &w) {
		suggestion = w.suggestion
	}
	if what != "" {
		what += ": "
	}
	b.errorf(position(at), suggestion, "%s%v", what, err)
}

// pick returns the word if it is one of the allowed ones.
func (b *builder) pick(w *word, kind string, allowed []string) (string, bool) {
	if slices.Contains(allowed, w.Text) {
		return w.Text, true
	}
	suggestion, choices := Nearest(w.Text, allowed), ""
	switch {
	case suggestion == "" && len(allowed) <= manyWords:
		choices = ": use " + oneOf(allowed)
	case suggestion == "":
		choices = "; docs/scenarios.md lists them"
	}
	b.errorf(position(w.Pos), suggestion, "unknown %s %q%s", kind, w.Text, choices)
	return "", false
}

// unlisted reports an unknown word of a table that is too long for a message.
func (b *builder) unlisted(at lexer.Position, kind, word, meant string) {
	where := ""
	if meant == "" {
		where = "; docs/scenarios.md lists them"
	}
	b.errorf(position(at), meant, "unknown %s %q%s", kind, word, where)
}

// manyWords is how many alternatives a message lists at most.
const manyWords = 8

func (b *builder) statement(s *statement, d directive, text string, at Pos) {
	guard := b.guard(s.Guard)
	if s.At != nil && !d.step {
		b.errorf(position(s.At.Pos), "", "%q takes no time: it applies to the whole run", d.word)
	}
	switch {
	case s.Scenario != nil:
		b.unguarded(s, d)
		b.scenario(s.Scenario)
	case s.Doc != nil:
		b.unguarded(s, d)
		b.plan.Doc = strings.TrimSpace(b.plan.Doc + " " + strings.Join(strings.Fields(s.Doc.Text), " "))
	case s.Topo != nil:
		b.unguarded(s, d)
		b.topo(s.Topo, at)
	case s.Config != nil:
		b.config(s.Config, guard)
	case s.Service != nil:
		b.service(s.Service, guard)
	case s.Traffic != nil:
		b.traffic(s.Traffic, guard)
	case s.Chaos != nil:
		b.chaos(s.Chaos, guard)
	case s.Always != nil:
		for _, c := range b.conditions(s.Always) {
			b.plan.Always = append(b.plan.Always, Always{Cond: c, Guard: guard, Pos: c.Pos})
		}
	case s.Sometimes != nil:
		for _, c := range b.conditions(s.Sometimes) {
			b.plan.Sometimes = append(b.plan.Sometimes, Always{Cond: c, Guard: guard, Pos: c.Pos})
		}
	case s.Control != nil:
		b.control(s.Control, guard, at)
	case s.Capture != nil:
		b.captures(s.Capture, guard)
	case s.Tolerate != nil:
		b.tolerate(s.Tolerate, guard, at)
	default:
		b.step(s, guard, text, at)
	}
}

func (b *builder) guard(g *bracket) Guard {
	if g == nil {
		return ""
	}
	world := strings.TrimSpace(strings.Trim(g.Text, "[]"))
	if !slices.Contains(worlds, world) {
		b.errorf(position(g.Pos), Nearest(world, worlds), "unknown world %q in a guard: use [%s]; a line without a guard is for both", world, strings.Join(worlds, "] or ["))
		return ""
	}
	return Guard(world)
}

// unguarded refuses a guard on a line that must be the same in both worlds.
func (b *builder) unguarded(s *statement, d directive) {
	if s.Guard != nil {
		b.errorf(position(s.Guard.Pos), "", "%q takes no guard: it is the same in both worlds", d.word)
	}
}

// single reports a second line of a directive that may appear only once.
func (b *builder) single(directive string, at Pos) {
	if b.once == nil {
		b.once = map[string]Pos{}
	}
	if first, ok := b.once[directive]; ok {
		b.errorf(at, "", "a second %q line; the first is %s", directive, first)
		return
	}
	b.once[directive] = at
}

func (b *builder) scenario(s *prose) {
	at := position(s.Pos)
	b.single("scenario", at)
	name, _, _ := strings.Cut(s.Text, "#")
	name = strings.TrimSpace(name) + b.bound.suffix(b.written(s.Pos))
	if !scenarioName.MatchString(name) {
		b.errorf(at, "", "scenario name %q: use letters and digits, and - . _ after the first; it is also the name of a folder", name)
	}
	b.plan.Name, b.plan.NamePos = name, at
}

// written is the file's text from a position to the end of its line.
func (b *builder) written(at lexer.Position) string {
	line, _, _ := strings.Cut(b.source.texts[at.Filename][at.Offset:], "\n")
	return line
}

func (b *builder) topo(t *topoLine, at Pos) {
	b.single("topo", at)
	b.plan.Topo.Pos = at
	b.pick(t.Kind, "topology", []string{"pair"})
	b.pairs(t.Args, map[string]func(*value) error{
		"clients":  func(v *value) (err error) { b.plan.Topo.Clients, err = parseCount(v.Text, 1, lab.MaxHosts); return },
		"backends": func(v *value) (err error) { b.plan.Topo.Backends, err = parseCount(v.Text, 1, lab.MaxHosts); return },
	})
}

// pairs calls the function of each key with its value.
func (b *builder) pairs(args []*pair, keys map[string]func(*value) error) {
	allowed := slices.Sorted(maps.Keys(keys))
	seen := map[string]bool{}
	for _, arg := range args {
		key, ok := b.pick(arg.Key, "key", allowed)
		if !ok {
			continue
		}
		if seen[key] {
			b.errorf(position(arg.Key.Pos), "", "%s is set twice in this line", key)
		}
		seen[key] = true
		if err := keys[key](arg.Value); err != nil {
			b.refuse(arg.Value.Pos, key, err)
		}
	}
}

func (b *builder) config(c *configLine, guard Guard) {
	node := ""
	if c.Node != nil {
		node, _ = b.pick(c.Node, "node", nodes)
	}
	for _, arg := range c.Args {
		node, name := node, arg.Key.Text
		if first, rest, ok := strings.Cut(name, "."); ok && node == "" && slices.Contains(nodes, first) {
			node, name = first, rest // lb1.priority=200
		}
		key, ok := KeyOf(name)
		if !ok {
			b.unlisted(arg.Key.Pos, "configuration key", name, cmp.Or(keyCalled(name), Nearest(name, keyWords())))
			continue
		}
		canonical, err := key.parse(arg.Value.Text)
		if err != nil {
			b.refuse(arg.Value.Pos, key.Name, err)
			continue
		}
		b.plan.Config = append(b.plan.Config, Setting{Node: node, Key: key.Name, Value: canonical, Guard: guard, Pos: position(arg.Key.Pos)})
	}
}

func (b *builder) chaos(c *chaosLine, guard Guard) {
	line := Chaos{Guard: guard}
	switch w := c.Where; {
	case len(w) == 0:
	case len(w) == 1, len(w) == 3 && w[1].Text == "from":
		line.Link, _ = b.pick(w[0], "link", links)
		if len(w) == 3 {
			line.From = w[2].Text
		}
	default:
		b.errorf(position(w[1].Pos), "from", "unexpected %q; the form is: %s", w[1].Text, mustDirective("chaos").usage)
		return
	}
	for _, arg := range c.Args {
		var allowed []string
		for _, k := range ChaosKeys {
			if k.OnLink == (len(c.Where) > 0) {
				allowed = append(allowed, k.Name)
			}
		}
		if k, known := ChaosKeyOf(arg.Key.Text); known && k.OnLink != (len(c.Where) > 0) {
			b.errorf(position(arg.Key.Pos), "", "%s", misplaced(k))
			continue
		}
		if near, other := ChaosKeyOf(Nearest(arg.Key.Text, chaosNames())); other && !slices.Contains(allowed, near.Name) && !slices.Contains(allowed, arg.Key.Text) && Nearest(arg.Key.Text, allowed) == "" {
			b.errorf(position(arg.Key.Pos), "", "unknown kind of chaos %q; %s", arg.Key.Text, misplaced(near))
			continue
		}
		name, ok := b.pick(arg.Key, "kind of chaos", allowed)
		if !ok {
			continue
		}
		key, _ := ChaosKeyOf(name)
		canonical, err := key.quantity(arg.Value.Text)
		if err != nil {
			b.refuse(arg.Value.Pos, name, err)
			continue
		}
		line.Key, line.Value, line.Pos = name, canonical, position(arg.Key.Pos)
		b.plan.Chaos = append(b.plan.Chaos, line)
	}
}

// chaosNames lists the names of all keys of chaos.
func chaosNames() []string {
	names := make([]string, len(ChaosKeys))
	for i, k := range ChaosKeys {
		names[i] = k.Name
	}
	return names
}

// misplaced says that a key must be on a line with a link, or on one without.
func misplaced(k ChaosKey) string {
	if k.OnLink {
		return k.Name + " belongs to a link: write chaos LINK " + k.Name + "=…"
	}
	return k.Name + " does not belong to a link: write chaos " + k.Name + "=… on a separate line"
}

func (b *builder) service(s *serviceLine, guard Guard) {
	svc := Service{Name: s.Name.Text, Mode: modeFullNAT, Balance: "rr", Guard: guard, Pos: position(s.Name.Pos)}
	svc.Proto, _ = b.pick(s.Proto, "protocol", protocols)
	vip, err := netip.ParseAddr(strings.Trim(s.VIP.Host, "[]"))
	if err != nil {
		b.errorf(position(s.VIP.Pos), "", "%q is not an IP address", s.VIP.Host)
	} else {
		svc.VIP = vip.String()
	}
	if svc.Port, svc.Last, err = parsePorts(s.VIP.Port.Text); err != nil {
		b.refuse(s.VIP.Port.Pos, "port", err)
	}
	b.pairs(s.Args, map[string]func(*value) error{
		"mode":     func(v *value) (err error) { svc.Mode, err = choice(modes...)(alias(v.Text)); return },
		"balance":  func(v *value) (err error) { svc.Balance, err = choice(balances...)(alias(v.Text)); return },
		"affinity": func(v *value) (err error) { svc.Affinity, err = parseAffinity(v.Text); return },
		"snat":     func(v *value) (err error) { svc.SNAT, err = parseCount(v.Text, 2, lab.MaxSNAT); return },
		"outer":    func(v *value) (err error) { svc.Outer, err = choice(outers...)(v.Text); return },
		"server": func(v *value) error {
			who, err := choice(serverEcho, serverNone)(v.Text)
			svc.Bare = who == serverNone
			return err
		},
	})
	b.plan.Services = append(b.plan.Services, svc)
}

// parsePorts reads a port, a range of them, or any.
func parsePorts(text string) (first, last uint16, err error) {
	if text == anyPort {
		return 1, flow.LastPort, nil
	}
	from, to, isRange := strings.Cut(text, "-")
	low, err := parseCount(from, 1, flow.LastPort)
	if err != nil || !isRange {
		return uint16(low), 0, err
	}
	high, err := parseCount(to, 1, flow.LastPort)
	if err == nil && high <= low {
		err = &wrong{message: fmt.Sprintf("ports %s are no range from the lower to the higher", text)}
	}
	return uint16(low), uint16(high), err
}

// leastAffinity is the shortest affinity that a node accepts.
const leastAffinity = time.Second

func parseAffinity(text string) (time.Duration, error) {
	d, err := parseDuration(text)
	if err == nil && d < leastAffinity {
		err = &wrong{message: fmt.Sprintf("an affinity of %s is shorter than %s", text, formatDuration(leastAffinity))}
	}
	return d, err
}

// alias maps common spellings of modes and schedulers to those of the language.
func alias(text string) string {
	switch text {
	case "full-nat":
		return modeFullNAT
	case "round-robin", "roundrobin":
		return "rr"
	}
	return text
}

func (b *builder) control(w *words, guard Guard, at Pos) {
	b.single("control", at)
	b.plan.ControlGuard, b.plan.ControlPos = guard, at
	for _, w := range w.Words {
		if name, ok := b.pick(w, "check", CheckNames()); ok {
			if slices.Contains(b.plan.Control, name) {
				b.errorf(position(w.Pos), "", "check %q is listed twice", name)
			}
			b.plan.Control = append(b.plan.Control, name)
		}
	}
}

func (b *builder) captures(w *words, guard Guard) {
	for _, w := range w.Words {
		text := *w
		if text.Text == "client" || text.Text == "backend" {
			text.Text += "s"
		}
		if where, ok := b.pick(&text, "link", links); ok {
			b.plan.Captures = append(b.plan.Captures, Capture{Where: where, Guard: guard, Pos: position(w.Pos)})
		}
	}
}

func (b *builder) tolerate(t *tolerateLine, guard Guard, at Pos) {
	b.single("tolerate", at)
	b.pick(t.What, "thing to tolerate", []string{"stall"})
	d, err := parseDuration(t.Time.Text)
	if err != nil {
		b.refuse(t.Time.Pos, "", err)
		return
	}
	b.plan.Tolerate, b.plan.TolerateGuard = d, guard
}

// finish fills in the values that depend on several lines.
func (b *builder) finish() {
	b.expand()
	for i := range b.plan.Traffic {
		b.plan.Traffic[i].Service = b.plan.serviceFor(b.plan.Traffic[i])
	}
}

// serviceFor returns the service that a line of traffic names, or the only service of its
// protocol. It returns "" if there are several, which lint reports.
func (p *Plan) serviceFor(t Traffic) string {
	if t.Service != "" {
		return t.Service
	}
	var found []string
	for _, s := range p.Services {
		if s.Proto == t.Proto && !s.Bare && (s.Guard == "" || t.Guard == "" || s.Guard == t.Guard) {
			found = append(found, s.Name)
		}
	}
	if len(found) == 1 {
		return found[0]
	}
	return ""
}

// clock returns the time of a line, or of the step above it; false if there is neither.
func (b *builder) clock(at *timeAt) (time.Duration, bool) {
	if at != nil {
		d, err := at.sum()
		if err != nil {
			var w *wrong
			if errors.As(err, &w) && w.suggestion != "" && strings.HasSuffix(err.Error(), "has no unit") {
				w.suggestion = at.Time.Text + "s"
			}
			b.refuse(at.Time.Pos, "", err)
		} else if b.block != nil {
			return b.block.at + d, true
		} else {
			return d, true
		}
	}
	if b.block != nil && len(b.plan.Steps) == b.block.first {
		return b.block.at, true
	}
	if n := len(b.plan.Steps); n > 0 {
		return b.plan.Steps[n-1].At, true
	}
	return 0, at != nil
}
