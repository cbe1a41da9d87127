package plan

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/participle/v2/lexer"

	"baton/scenarios/fault"
	"baton/scenarios/lab"
)

// Notations of other programs and of plain English. They are looked up only for a line that is refused, so
// that its message can say what to write.

// foreignWord is a word that the language does not have, and ours.
type foreignWord struct{ word, ours string }

// foreignWindows are words in front of a time at the end of a claim, foreignLasts at the end of a
// fault.
var (
	foreignWindows = []foreignWord{{"in", "within"}, {"inside", "within"}, {"for", "throughout"}, {"during", "throughout"}}
	foreignLasts   = []foreignWord{{"during", "for"}, {"lasting", "for"}, {"over", "for"}}
)

// foreignStates are names of roles and states, and foreignIs are other words for is.
var (
	foreignStates = []foreignWord{{"active", "Master"}, {"primary", "Master"}, {"leader", "Master"}, {"standby", "Backup"}, {"passive", "Backup"},
		{"secondary", "Backup"}, {"slave", "Backup"}, {"failed", "Fault"}, {"synced", "insync"}, {"synchronized", "insync"}, {"ready", "insync"}}
	foreignIs = []foreignWord{{"becomes", "is"}, {"become", "is"}, {"be", "is"}, {"are", "is"}, {"stays", "is"}, {"remains", "is"}, {"has", "is"}}
)

// foreignVia are words in front of a link.
var foreignVia = []foreignWord{{"on", "via"}, {"over", "via"}, {"through", "via"}, {"at", "via"}, {"dev", "via"}, {"link", "via"}}

// foreignAt are words in front of the time of a step.
var foreignAt = []string{"at", "t", "time", "after", "on", "+"}

// foreignLines are words that begin a line in other languages.
var foreignLines = []foreignWord{{"assert", VerbExpect}, {"check", VerbExpect}, {"verify", VerbExpect}, {"require", VerbExpect}, {"until", VerbWait},
	{"name", "scenario"}, {"description", "doc"}, {"topology", "topo"}, {"set", "config"}, {"virtual_server", "service"}, {"vip", "service"}}

// ourWord looks up a word in a table, "" if it has none.
func ourWord(table []foreignWord, word string) string {
	i := slices.IndexFunc(table, func(f foreignWord) bool { return strings.EqualFold(f.word, word) })
	if i < 0 {
		return ""
	}
	return table[i].ours
}

// foreignArrow is an arrow between two hosts: whether packets pass from the left to the right, and back.
type foreignArrow struct {
	text        string
	there, back bool
}

var foreignArrows = []foreignArrow{
	{"<-->", true, true}, {"<==>", true, true}, {"<=>", true, true}, {"<>", true, true}, {"↔", true, true}, {"⇔", true, true},
	{"<--", false, true}, {"<==", false, true}, {"<-", false, true}, {"<=", false, true}, {"←", false, true}, {"⇐", false, true},
	{"-->", true, false}, {"==>", true, false}, {"=>", true, false}, {">", true, false}, {"→", true, false}, {"⇒", true, false},
	{"--", true, true}, {"|", true, true}, {"/", true, true},
}

// directed finds two hosts with a foreign arrow between them, and writes them with ours. The
// offset counts from the start of the text.
var directed = func() *regexp.Regexp {
	arrows := make([]string, len(foreignArrows))
	for i, a := range foreignArrows {
		arrows[i] = regexp.QuoteMeta(a.text)
	}
	return regexp.MustCompile(`([A-Za-z][A-Za-z0-9]*)[ \t]*(` + strings.Join(arrows, "|") + `)[ \t]*([A-Za-z][A-Za-z0-9]*)`)
}()

func rearrowed(text string) (offset int, arrow, ours string) {
	at := directed.FindStringSubmatchIndex(text)
	if at == nil {
		return 0, "", ""
	}
	left, arrow, right := text[at[2]:at[3]], text[at[4]:at[5]], text[at[6]:at[7]]
	i := slices.IndexFunc(foreignArrows, func(a foreignArrow) bool { return a.text == arrow })
	switch a := foreignArrows[i]; {
	case a.there && a.back:
		return at[0], arrow, left + "<->" + right
	case a.back:
		return at[0], arrow, right + "->" + left
	}
	return at[0], arrow, left + "->" + right
}

// looseUnits are the units that are written without a space after their number.
var looseUnits = slices.Concat(durationUnits, []string{"%", "percent", "pct", "sec", "secs", "second", "seconds", "msec", "minutes", "kbit", "mbit", "gbit", "pps"})

// spaced reports a space between a number and its unit, or between the kind and the number of a host.
func (b *builder) spaced(tokens []lexer.Token) bool {
	for i := 1; i < len(tokens); i++ {
		number, unit := tokens[i-1], tokens[i]
		if _, _, host := lab.ParseName(number.Value + unit.Value); host && number.Type == tokenWord && unit.Type == symbols["Number"] {
			b.errorf(position(number.Pos), number.Value+unit.Value, "the number of a host follows without a space")
			return true
		}
		if number.Type != symbols["Number"] || strings.Trim(number.Value, "0123456789._") != "" || !slices.Contains(looseUnits, strings.ToLower(unit.Value)) {
			continue
		}
		if i+1 < len(tokens) && (tokens[i+1].Value == "=" || tokens[i+1].Value == ":") {
			continue // a key
		}
		b.errorf(position(number.Pos), number.Value+ourUnit(unit.Value), "a unit follows its number without a space")
		return true
	}
	return false
}

// ourUnit is a unit as the language writes it.
func ourUnit(unit string) string {
	switch low := strings.ToLower(unit); {
	case low == "percent" || low == "pct":
		return "%"
	case low == "pps":
		return "/s"
	case slices.Contains(durationUnits, low) || strings.HasSuffix(low, "bit") || low == "%":
		return low
	}
	return meantUnit(unit)
}

// oneFault is why a line with two faults is refused.
const oneFault = "a step has one fault; the next one has a line of its own, as in @5s restore lb1"

// passesTime is why a line that only lets time pass is refused.
const passesTime = "no line says how long to pause: the time of the next one does, as in @5s crash lb1"

// foreign reports a line that the grammar refuses at a token if the line has a notation of
// another program.
func (b *builder) foreign(d directive, tokens []lexer.Token, token lexer.Token) bool {
	verb, isFault := fault.Of(d.word)
	before := preceding(tokens, token)
	switch {
	case (isFault && verb.On == fault.Wires || d.word == VerbRandom || d.word == "storm") && b.arrow(tokens):
		return true
	case token.Type == symbols["Number"] && before.Value == "until" && !d.claims():
		b.errorf(position(before.Pos), until(tokens, token), "a fault takes no until: it lasts for a time from its step on; the form is: %s", d.usage)
		return true
	case isFault && token.Type == symbols["Number"] && b.foreignNumber(d, verb, tokens, token, before):
		return true
	case isFault && (token.Value == ";" || token.Value == "&"):
		b.errorf(position(token.Pos), "", "%s", oneFault)
		return true
	case token.Value == ":" && before.Value == d.word:
		b.errorf(position(token.Pos), "", "%s takes no colon; the form is: %s", d.word, d.form())
		return true
	case isFault && token.Type == symbols["Arrow"]:
		b.errorf(position(before.Pos), "", "the hosts come before via; the form is: %s", d.usage)
		return true
	case isFault && token.Value == "until":
		b.errorf(position(token.Pos), "", "for already says when the fault ends; leave out until")
		return true
	case d.claims():
		return b.foreignClaim(d, tokens, token, before)
	}
	return b.unequalled(d, tokens)
}

// unequalled reports a key without = before its value.
func (b *builder) unequalled(d directive, tokens []lexer.Token) bool {
	for i := 1; i < len(tokens)-1; i++ {
		name, before, next := tokens[i].Value, tokens[i-1].Value, tokens[i+1]
		node, rest, two := strings.Cut(name, ".")
		if !two || !slices.Contains(nodes, node) {
			node, rest = "", name
		}
		key := rest
		if d.word == "config" {
			key = keyCalled(rest)
			if known, ok := KeyOf(rest); ok {
				key = known.Name
			}
		}
		if tokens[i].Type != tokenWord || before == "=" || before == ":" || next.Value == "=" || next.Value == ":" || key == "" || d.word != "config" && !slices.Contains(d.keys(), key) {
			continue
		}
		if node != "" {
			key = node + "." + key
		}
		value := next.Value
		if known, ok := KeyOf(strings.TrimPrefix(key, node+".")); next.EOF() && ok {
			value = known.Default
		}
		b.errorf(position(tokens[i].Pos), key+"="+value, "%s has no = and value; the form is: %s", name, d.usage)
		return true
	}
	return false
}

// arrow reports a foreign arrow between two hosts.
func (b *builder) arrow(tokens []lexer.Token) bool {
	first, last := tokens[0], tokens[len(tokens)-1]
	text := b.source.texts[first.Pos.Filename][first.Pos.Offset:last.Pos.Offset]
	offset, arrow, ours := rearrowed(text)
	if ours == "" {
		return false
	}
	at := position(first.Pos)
	at.Column += len([]rune(text[:offset]))
	b.errorf(at, ours, "unknown arrow %q; -> is one direction, <-> is both", arrow)
	return true
}

// foreignNumber reports a number that a fault has at a wrong place: its share or delay behind its packets, or
// the time at which it is to end.
func (b *builder) foreignNumber(d directive, verb fault.Verb, tokens []lexer.Token, token, before lexer.Token) bool {
	at := slices.IndexFunc(tokens, func(t lexer.Token) bool { return t.Type == tokenFault })
	_, err := parseDuration(token.Value)
	switch head := tokens[at]; {
	case ourWord(foreignLasts, before.Value) != "" && d.lasting(token.Value) != "":
		b.errorf(position(before.Pos), d.lasting(token.Value), "unexpected %q; the form is: %s", before.Value, d.usage)
	case (verb.Share || verb.Time && err == nil) && tokens[at+1].Type != symbols["Number"]:
		what := "share"
		if verb.Time {
			what = "duration"
		}
		text := b.source.texts[head.Pos.Filename]
		end := token.Pos.Offset + len(token.Value)
		meant := verb.Word + " " + token.Value + " " + strings.TrimSpace(text[head.Pos.Offset+len(head.Value):token.Pos.Offset]) + strings.TrimRight(text[end:tokens[len(tokens)-1].Pos.Offset], " \t")
		b.errorf(position(token.Pos), meant, "the %s comes first; the form is: %s", what, d.usage)
	default:
		return false
	}
	return true
}

// until is the duration of a fault that ends at a time of the scenario, "" if the line says no time before it.
func until(tokens []lexer.Token, end lexer.Token) string {
	i := slices.IndexFunc(tokens, func(t lexer.Token) bool { return t.Value == "@" })
	if i < 0 {
		return ""
	}
	from, begun := time.ParseDuration(tokens[i+1].Value)
	to, ended := time.ParseDuration(end.Value)
	if begun != nil || ended != nil || to <= from {
		return ""
	}
	return "for " + formatDuration(to-from)
}

// foreignClaim reports a claim with a word of another language for its window or for is.
func (b *builder) foreignClaim(d directive, tokens []lexer.Token, token, before lexer.Token) bool {
	window := ourWord(foreignWindows, token.Value)
	head := slices.IndexFunc(tokens, func(t lexer.Token) bool { return t.Value == d.word })
	switch {
	case d.word == VerbWait && token.Type == symbols["Number"] && before.Value == VerbWait:
		b.errorf(position(token.Pos), "", "%s", passesTime)
	case d.word == VerbWait && tokens[head+1].Value == "for":
		b.errorf(position(tokens[head+1].Pos), "", "a wait takes no for: its conditions follow, as in wait lb1 is Master; the form is: %s", d.usage)
	case token.Value == "or":
		b.errorf(position(token.Pos), "", "all conditions of a claim must be true; they are joined by and, and there is no or")
	case endsCondition(before) && (lab.IsNode(token.Value) || metricOf(token.Value).Name != ""):
		b.errorf(position(token.Pos), "and "+token.Value, "unexpected %q; the form is: %s", token.Value, d.form())
	case token.Value == "&":
		b.errorf(position(token.Pos), "and", "unexpected %q; the form is: %s", token.Value, d.form())
	case tokens[head+1].Value == "not":
		b.errorf(position(tokens[head+1].Pos), "", "not comes behind the node, as in lb1 is not Master")
	case token.Value == "within" || token.Value == "throughout":
		b.errorf(position(token.Pos), "", "a claim has one window; write a second expect for the other")
	case token.Value == "until":
		b.errorf(position(token.Pos), "", "a claim takes no until: its window is counted from its step; the form is: %s", d.usage)
	case window != "" && slices.Contains(d.words, window):
		b.errorf(position(token.Pos), window, "unexpected %q; the form is: %s", token.Value, d.usage)
	case ourWord(foreignIs, before.Value) != "":
		b.errorf(position(before.Pos), "is", "unexpected %q; the form is: %s", before.Value, d.usage)
	default:
		return false
	}
	return true
}

// endsCondition reports whether a condition may end with a token: a number, a role or insync.
func endsCondition(t lexer.Token) bool {
	return t.Type == symbols["Number"] || slices.ContainsFunc(append([]string{"insync"}, roles...), func(state string) bool { return strings.EqualFold(state, t.Value) })
}

// claims reports whether a line of the directive has conditions.
func (d directive) claims() bool { return slices.Contains(d.words, "is") }

// keys are the keys that a line of the directive may set, besides those of a configuration.
func (d directive) keys() []string {
	switch d.word {
	default:
		verb, _ := fault.Of(d.word)
		return verb.KeyNames()
	case "topo":
		return []string{lab.Clients, lab.Backends}
	case "traffic":
		var words []string
		for _, kind := range kinds {
			words = append(words, trafficKeys[kind]...)
		}
		return append(words, "client")
	}
}

// following is the token right behind another.
func following(tokens []lexer.Token, of lexer.Token) lexer.Token {
	at := slices.IndexFunc(tokens, func(t lexer.Token) bool { return t.Pos == of.Pos })
	if at < 0 || at+1 == len(tokens) {
		return lexer.Token{}
	}
	return tokens[at+1]
}
