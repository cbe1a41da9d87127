package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/metric"
)

// The files for editors are generated from the tables of the language.

// wordClass is a set of words that look alike in an editor.
type wordClass struct {
	scope string // of TextMate
	group string // of Vim
	words []string
}

// wordClasses lists the words of the language. The first class has the words that begin a line.
func wordClasses() []wordClass {
	var lines []string
	for _, d := range directives {
		if _, verb := fault.Of(d.word); !verb {
			lines = append(lines, d.word)
		}
	}
	var settings []string
	for _, k := range Keys {
		settings = append(settings, k.Name)
		if _, last, ok := strings.Cut(k.Name, "."); ok {
			settings = append(settings, last)
		}
	}
	for _, k := range ChaosKeys {
		settings = append(settings, k.Name)
	}
	for _, v := range fault.Verbs() {
		for _, k := range v.Keys {
			settings = append(settings, k.Name)
		}
	}
	var ways []string
	for _, v := range fault.Verbs() {
		ways = append(ways, v.WayNames()...)
	}
	for _, kind := range kinds {
		settings = append(settings, trafficKeys[kind]...)
	}
	settings = append(settings, "client", "from", "until", "clients", "backends", "mode", "balance", "affinity", "snat", "outer")
	measured := slices.Clone(metric.Names())
	for _, m := range metric.Names() {
		measured = append(measured, strings.TrimSuffix(m, "_ms"))
	}
	return []wordClass{
		{"keyword.control.baton", "Statement", lines},
		{"keyword.other.fault.baton", "Exception", fault.Words()},
		{"entity.name.place.baton", "Identifier", slices.Concat(lab.Nodes(), links, lab.KindNames())},
		{"support.function.metric.baton", "Function", slices.Concat(measured, named)},
		{"constant.language.state.baton", "Constant", slices.Concat(roles, []string{"insync"})},
		{"keyword.operator.word.baton", "Operator", []string{"is", "not", "and", "in", "within", "throughout", "eventually", "via", "for", "from", "every", "stall", "capture"}},
		{"support.constant.baton", "Type", slices.Concat(kinds, protocols, modes, balances, outers, ways, []string{"pair"}, exprNames)},
		{"variable.parameter.setting.baton", "Label", settings},
	}
}

// alternatives returns the words of a class that are in no earlier class, the longest first, because
// a regular expression takes the first alternative that matches.
func alternatives(words []string, taken map[string]bool) []string {
	var own []string
	for _, w := range words {
		if !taken[w] {
			taken[w] = true
			own = append(own, w)
		}
	}
	slices.SortFunc(own, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return own
}

type (
	tmGrammar struct {
		Comment   string      `json:"comment"`
		Name      string      `json:"name"`
		ScopeName string      `json:"scopeName"`
		FileTypes []string    `json:"fileTypes"`
		Patterns  []tmPattern `json:"patterns"`
	}
	tmPattern struct {
		Name     string             `json:"name,omitempty"`
		Match    string             `json:"match"`
		Captures map[string]tmScope `json:"captures,omitempty"`
	}
	tmScope struct {
		Name string `json:"name"`
	}
)

const generated = "generated from the tables of scenarios/plan; go test ./scenarios/plan -update writes it"

// TextMate returns the language's grammar for editors that read TextMate grammars.
func TextMate() ([]byte, error) {
	g := tmGrammar{Comment: generated, Name: "baton scenario", ScopeName: "source.baton", FileTypes: []string{"scn", "inc"}, Patterns: []tmPattern{
		{Match: `^\s*(scenario|doc|include)\s+(.*)$`, Captures: map[string]tmScope{"1": {"keyword.control.baton"}, "2": {"string.unquoted.baton"}}},
		{Name: "comment.line.number-sign.baton", Match: `#.*$`},
		{Name: "storage.modifier.guard.baton", Match: `\[(?:` + strings.Join(worlds, "|") + `)\]`},
		{Name: "variable.other.baton", Match: `\$[A-Za-z_][A-Za-z0-9_]*`},
		{Match: `(@)\s*(` + number + `)`, Captures: map[string]tmScope{"1": {"punctuation.definition.time.baton"}, "2": {"constant.numeric.time.baton"}}},
		{Name: "constant.numeric.baton", Match: `(?<![A-Za-z0-9_.-])` + number},
		{Name: "keyword.operator.baton", Match: `<->|->|<=|>=|==|!=|<|>|=`},
		{Name: "entity.name.place.baton", Match: `(?<![A-Za-z0-9_.-])(?:client|backend)[0-9]+(?![A-Za-z0-9_]|[-.][A-Za-z0-9_])`},
	}}
	taken := map[string]bool{}
	for _, class := range wordClasses() {
		words := alternatives(class.words, taken)
		for i, w := range words {
			words[i] = strings.ReplaceAll(w, ".", `\.`)
		}
		g.Patterns = append(g.Patterns, tmPattern{Name: class.scope, Match: `(?<![A-Za-z0-9_.-])(?:` + strings.Join(words, "|") + `)(?![A-Za-z0-9_]|[-.][A-Za-z0-9_])`})
	}
	return indented(g)
}

// VimSyntax returns the syntax file for Vim and Neovim.
func VimSyntax() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "\" %s\nif exists('b:current_syntax') | finish | endif\nsyntax iskeyword @,48-57,_,-,.\n", generated)
	taken := map[string]bool{}
	for _, class := range wordClasses() {
		group := "baton" + class.group
		fmt.Fprintf(&b, "syntax keyword %s %s\nhighlight default link %s %s\n", group, strings.Join(alternatives(class.words, taken), " "), group, class.group)
	}
	b.WriteString(`syntax match batonNumber /\%(\k\)\@<![0-9][0-9A-Za-z_.%]*\%(\/[A-Za-z]\+\)\?/
syntax match batonPlace /\<\%(client\|backend\)[0-9]\+\>/
syntax match batonVariable /\$[A-Za-z_][A-Za-z0-9_]*/
syntax match batonGuard /\[\%(` + strings.Join(worlds, `\|`) + `\)\]/
syntax match batonText /\%(^\s*\%(scenario\|doc\|include\)\s\+\)\@<=.*$/
syntax match batonComment /#.*$/
highlight default link batonNumber Number
highlight default link batonPlace Identifier
highlight default link batonVariable Special
highlight default link batonGuard PreProc
highlight default link batonText String
highlight default link batonComment Comment
let b:current_syntax = 'baton'
`)
	return []byte(b.String())
}

// Snippets returns the snippets for VS Code, which complete lines of the language.
func Snippets() ([]byte, error) {
	type snippet struct {
		Prefix      string   `json:"prefix"`
		Body        []string `json:"body"`
		Description string   `json:"description"`
	}
	list := map[string]snippet{}
	for _, d := range directives {
		s := snippet{Prefix: d.word, Body: []string{d.word + " $0"}, Description: d.usage}
		if verb, ok := fault.Of(d.word); ok {
			s.Description += ": " + strings.ReplaceAll(verb.Doc, "`", "")
		}
		list[d.word] = s
	}
	for _, m := range metric.All() {
		list[m.Name] = snippet{Prefix: m.Name, Body: []string{m.Name + " $0"}, Description: strings.ReplaceAll(m.Doc, "`", "")}
	}
	for _, k := range Keys {
		list[k.Name] = snippet{Prefix: k.Name, Body: []string{k.Name + "=${1:" + k.Default + "}"}, Description: strings.ReplaceAll(k.Doc, "`", "")}
	}
	return indented(list)
}

func indented(value any) ([]byte, error) {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return []byte(b.String()), err
}
