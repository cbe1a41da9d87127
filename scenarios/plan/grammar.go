package plan

import (
	"errors"
	"strings"
	"time"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"baton/scenarios/fault"
)

// The grammar of one line. It accepts any word as a node, role, key, metric or check name. The
// builder checks them, so that its message can name the kind and the nearest valid word.
type statement struct {
	Pos   lexer.Position
	Guard *bracket `parser:"@@?"`
	At    *timeAt  `parser:"@@?"`

	Scenario  *prose        `parser:"(  Scenario @@"`
	Doc       *prose        `parser:" | Doc @@"`
	Topo      *topoLine     `parser:" | 'topo' @@"`
	Config    *configLine   `parser:" | 'config' @@"`
	Service   *serviceLine  `parser:" | 'service' @@"`
	Traffic   *trafficLine  `parser:" | 'traffic' @@"`
	Chaos     *chaosLine    `parser:" | 'chaos' @@"`
	Always    *conditions   `parser:" | 'always' @@"`
	Sometimes *conditions   `parser:" | 'sometimes' @@"`
	Control   *words        `parser:" | 'control' @@"`
	Capture   *words        `parser:" | 'on-failure' 'capture' @@"`
	Tolerate  *tolerateLine `parser:" | 'tolerate' @@"`
	Wait      *claim        `parser:" | 'wait' @@"`
	Expect    *claim        `parser:" | 'expect' @@"`
	Late      *claim        `parser:" | 'eventually' @@"`
	End       bool          `parser:" | ( @'end'"`
	EndClaim  *claim        `parser:"     ( 'eventually'? @@ )? )"`
	Repeat    *repeatLine   `parser:" | 'repeat' @@"`
	Random    *between      `parser:" | 'randomly' @@"`
	Storm     *stormLine    `parser:" | 'storm' @@"`
	Fault     *faultLine    `parser:" | @@ )"`
}

type bracket struct {
	Pos  lexer.Position
	Text string `parser:"@Guard"`
}

// timeAt is a sum of durations: @2s, @2s+50ms.
type timeAt struct {
	Pos  lexer.Position
	Time *quantity `parser:"'@' @@"`
	Rest []*later  `parser:"@@*"`
}

type later struct {
	Op   string    `parser:"@('+' | '-')"`
	Time *quantity `parser:"@@"`
}

// sum evaluates the time.
func (t *timeAt) sum() (time.Duration, error) {
	total, err := parseDuration(t.Time.Text)
	for _, l := range t.Rest {
		d, failed := parseDuration(l.Time.Text)
		if l.Op == "-" {
			d = -d
		}
		total, err = total+d, errors.Join(err, failed)
	}
	if err == nil && (total < 0 || total > maxDuration) {
		return 0, &wrong{message: formatDuration(total) + " is outside of 0s to " + formatDuration(maxDuration)}
	}
	return total, err
}

type quantity struct {
	Pos  lexer.Position
	Text string `parser:"@Number"`
}

// ports is one port, a range of them, or any.
type ports struct {
	Pos  lexer.Position
	Text string `parser:"@(Number ('-' Number)? | Word)"`
}

type prose struct {
	Pos  lexer.Position
	Text string `parser:"@Text"`
}

type word struct {
	Pos  lexer.Position
	Text string `parser:"@Word"`
}

// words is a list, separated by commas, "and" or spaces.
type words struct {
	Words []*word `parser:"@@ ( (',' | 'and')? @@ )*"`
}

// pair is key=value, or key: value as in a configuration file.
type pair struct {
	Key   *word  `parser:"@@ ('=' | ':')"`
	Value *value `parser:"@@ ','?"`
}

type value struct {
	Pos  lexer.Position
	Text string `parser:"@('-'? (Number | Word) ('-' Number)?)"`
}

type topoLine struct {
	Kind *word   `parser:"@@"`
	Args []*pair `parser:"@@*"`
}

type configLine struct {
	Node *word   `parser:"( @@ ':'? (?= Word ('=' | ':')) )?"`
	Args []*pair `parser:"@@+"`
}

type serviceLine struct {
	Name  *word    `parser:"@@"`
	Proto *word    `parser:"@@"`
	VIP   *address `parser:"@@"`
	Args  []*pair  `parser:"@@*"`
}

type address struct {
	Pos  lexer.Position
	Host string `parser:"@(Number | Guard)"`
	Port *ports `parser:"':' @@"`
}

// trafficLine is NAME KIND [PROTO] and then keys. The number of words tells which is which,
// since a line may have the name of its kind.
type trafficLine struct {
	Words []*word `parser:"( (?! Word ('=' | ':')) @@ )+"`
	Args  []*pair `parser:"@@*"`
}

// chaosLine is [LINK [from HOST]] and then keys.
type chaosLine struct {
	Where []*word `parser:"( (?! Word ('=' | ':')) @@ )*"`
	Args  []*pair `parser:"@@+"`
}

type tolerateLine struct {
	What *word     `parser:"@@ ('=' | ':')?"`
	Time *quantity `parser:"@@"`
}

// claim is a list of conditions with the time within which, or throughout which, they must hold.
type claim struct {
	Conds  *conditions `parser:"@@"`
	Window *window     `parser:"@@?"`
}

type window struct {
	Pos  lexer.Position
	Kind string `parser:"@('within' | 'throughout')"`
	Time *sum   `parser:"@@"`
}

type conditions struct {
	Conds []*condition `parser:"@@ ( (';' | ',' | 'and') @@ )* ';'?"`
}

// condition is a comparison of a metric, a node with its state, or a single word. A single word
// in front of a node's state is another node with that state: lb1 and lb2 insync.
type condition struct {
	Pos   lexer.Position
	Name  string     `parser:"@Word"`
	Arg   *word      `parser:"( '(' @@ ')' )?"`
	Op    string     `parser:"( @('<=' | '>=' | '==' | '!=' | '<' | '>' | '=')"`
	Value *sum       `parser:"  @@"`
	Holds *contains  `parser:"| (?= 'not'? 'contains') @@"`
	State *predicate `parser:"| @@ )?"`
}

// contains is the condition on the output of a program.
type contains struct {
	Not  bool    `parser:"@'not'? 'contains'"`
	Text *quoted `parser:"@@"`
}

type predicate struct {
	Not   bool   `parser:"'is'? @'not'?"`
	State *state `parser:"(?! 'within' | 'throughout' | 'and') @@"`
}

type state struct {
	Pos  lexer.Position
	Text string `parser:"@('in' 'sync') | @Word"`
}

type sum struct {
	Pos   lexer.Position
	First *product  `parser:"@@"`
	Rest  []*addend `parser:"@@*"`
}

type addend struct {
	Op   string   `parser:"@('+' | '-')"`
	Term *product `parser:"@@"`
}

type product struct {
	Factors []*factor `parser:"@@ ( '*' @@ )*"`
}

type factor struct {
	Pos  lexer.Position
	Text string `parser:"@(Number | Word)"`
}

// faultLine is any fault. The builder checks the operands against its verb.
type faultLine struct {
	Pos  lexer.Position
	Verb string `parser:"@Fault"`
	faultWords
}

// faultWords are the operands of a verb.
type faultWords struct {
	Amount  *quantity `parser:"@@?"`
	Targets []*target `parser:"( @@ (',' | 'and' (?! Arrow))? )*"`
	Command *quoted   `parser:"@@?"`
	As      *word     `parser:"( 'as' @@ )?"`
	Via     *word     `parser:"( 'via' @@ )?"`
	Args    []*pair   `parser:"@@*"`
	Sender  *word     `parser:"( 'from' @@ )?"`
	More    []*pair   `parser:"@@*"`
	Every   *quantity `parser:"( 'every' @@ )?"`
	For     *quantity `parser:"( 'for' @@ )?"`
}

type quoted struct {
	Pos  lexer.Position
	Text string `parser:"@Quoted"`
}

// repeatLine opens a block, which ends with a line }.
type repeatLine struct {
	Count *quantity `parser:"@@"`
	Every *quantity `parser:"'every' @@ '{'"`
}

// target is a host, a link, a service, or a direction. Only a word with an arrow may be one of
// reserved.
type target struct {
	Pos   lexer.Position
	From  *word  `parser:"(?! ('via' | 'as' | 'from' | 'every' | 'for' | 'or' | 'and') (?! Arrow) | Word ('=' | ':')) @@"`
	Arrow string `parser:"( @Arrow"`
	To    *word  `parser:"  @@ )?"`
}

// reserved are the words that cannot be targets or service names, because they begin or separate
// other operands of a fault.
var reserved = []string{"via", "as", "from", "every", "for", "or", "and"}

// lookahead is how many tokens the parser may read to choose an alternative.
const lookahead = 6

var grammar = participle.MustBuild[statement](participle.Lexer(definition), participle.UseLookahead(lookahead))

// directive is a word that a line may begin with.
type directive struct {
	word  string
	usage string
	step  bool     // it may have a time
	words []string // words that may follow, for suggestions
}

var claimWords = []string{"is", "not", "and", "within", "throughout", "insync"}

var directives = append([]directive{
	{word: "scenario", usage: "scenario NAME"},
	{word: "doc", usage: "doc TEXT"},
	{word: "include", usage: "include FILE"},
	{word: "let", usage: "let NAME = VALUE"},
	{word: "for", usage: "for NAME in VALUE...", words: []string{"in"}},
	{word: "topo", usage: "topo pair [clients=N] [backends=N]"},
	{word: "config", usage: "config [NODE] KEY=VALUE..."},
	{word: "service", usage: "service NAME " + strings.Join(protocols, "|") + " VIP:PORT|FIRST-LAST|any [mode=fullnat|dnat|dsr-l2|dsr-ipip] [balance=rr|maglev|least-conn] [affinity=TIME] [snat=COUNT] [outer=ipv4|ipv6] [server=echo|none]"},
	{word: "traffic", usage: "traffic NAME sessions|connects|probe|flows [" + strings.Join(protocols, "|") + "] [KEY=VALUE...]"},
	{word: "chaos", usage: "chaos [LINK [from HOST]] KEY=VALUE...", words: []string{"from"}},
	{word: "always", usage: "always CONDITION [; CONDITION]...", words: []string{"is", "not", "and"}},
	{word: "sometimes", usage: "sometimes CONDITION [; CONDITION]...", words: []string{"is", "not", "and"}},
	{word: "control", usage: "control CHECK [, CHECK]..."},
	{word: "on-failure", usage: "on-failure capture clients|backends|sync", words: []string{"capture"}},
	{word: "tolerate", usage: "tolerate stall DURATION"},
	{word: VerbWait, usage: "wait CONDITION [and CONDITION]... [within DURATION]", step: true, words: claimWords},
	{word: VerbExpect, usage: "expect CONDITION [and CONDITION]... [within DURATION | throughout DURATION]", step: true, words: claimWords},
	{word: "eventually", usage: "end eventually CONDITION [and CONDITION]... [within DURATION]", step: true, words: claimWords},
	{word: VerbEnd, usage: "end [eventually CONDITION [and CONDITION]... [within DURATION]]", step: true, words: append(claimWords, "eventually")},
	{word: VerbRandom, usage: randomUsage, step: true, words: []string{"between", "and", "or", "for", "via"}},
	{word: "storm", usage: stormUsage, step: true, words: []string{"between", "and", "or", "for", "via"}},
	{word: "repeat", usage: repeatUsage, step: true, words: []string{"every"}},
}, faultDirectives()...)

func faultDirectives() []directive {
	var list []directive
	for _, v := range fault.Verbs() {
		list = append(list, directive{word: v.Word, usage: v.Usage(), step: true, words: append(append(v.KeyNames(), v.WayNames()...), "via", "as", "from", "every", "for")})
	}
	return list
}

func directiveOf(word string) (directive, bool) {
	for _, d := range directives {
		if d.word == word {
			return d, true
		}
	}
	return directive{}, false
}

func directiveWords() []string {
	words := make([]string, len(directives))
	for i, d := range directives {
		words[i] = d.word
	}
	return words
}
