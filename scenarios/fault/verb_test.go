package fault

import (
	"slices"
	"testing"
)

// TestTheTableIsComplete: every verb has its texts for the reference, and can be followed by the verb
// that undoes it.
func TestTheTableIsComplete(t *testing.T) {
	for _, v := range Verbs() {
		if v.Doc == "" || v.Receipt == "" {
			t.Errorf("%s: no Doc or no Receipt", v.Word)
		}
		if v.On == Machines && (len(v.From) == 0 || len(v.Kinds) == 0 || v.Refuse == "") {
			t.Errorf("%s: From, Kinds or Refuse is missing", v.Word)
		}
		if v.Undo == "" {
			continue
		}
		undo, ok := Of(v.Undo)
		if !ok || undo.On != v.On || v.On == Machines && !slices.Contains(undo.From, v.To) {
			t.Errorf("%s is undone by %s, which cannot follow it", v.Word, v.Undo)
		}
	}
}

// A word of another tool leads to verbs, and is none itself.
func TestWordsOfOtherToolsLeadToVerbs(t *testing.T) {
	for word, want := range map[string][]string{"Partition": {Cut}, "drop": {Cut, Lose}, "banana": nil} {
		if got := Called(word); !slices.Equal(got, want) {
			t.Errorf("%s is %q, want %q", word, got, want)
		}
	}
	for _, v := range Verbs() {
		for _, word := range v.Also {
			if _, verb := Of(word); verb {
				t.Errorf("%s of %s is a verb", word, v.Word)
			}
		}
	}
}

// TestConclusionsFromVerbs pins the conclusions that checks draw from the table.
func TestConclusionsFromVerbs(t *testing.T) {
	for _, c := range []struct {
		verb                       string
		ends, stops, takes, asks   bool
		resyncs, leavesAsIs, known bool
	}{
		{verb: Crash, ends: true, stops: true, takes: true, known: true},
		{verb: Kill, ends: true, stops: true, takes: true, known: true},
		{verb: Stop, ends: true, stops: true, asks: true, known: true},
		{verb: Freeze, stops: true, takes: true, known: true},
		{verb: Thaw, known: true},
		{verb: Restore, resyncs: true, known: true},
		{verb: Handover, asks: true, leavesAsIs: true, known: true},
		{verb: Cut, known: true},
		{verb: Lose, known: true},
		{verb: Delay, known: true},
		{verb: Down, known: true},
		{verb: Up, resyncs: true, known: true},
		{verb: Heal, resyncs: true, known: true},
		{verb: "vanish"},
	} {
		_, known := Of(c.verb)
		if Ends(c.verb) != c.ends || Stops(c.verb) != c.stops || Takes(c.verb) != c.takes || Asks(c.verb) != c.asks ||
			Resyncs(c.verb) != c.resyncs || LeavesAsIs(c.verb) != c.leavesAsIs || known != c.known {
			t.Errorf("%s: ends %v, stops %v, takes %v, asks %v, resyncs %v, leaves as is %v, known %v", c.verb, Ends(c.verb),
				Stops(c.verb), Takes(c.verb), Asks(c.verb), Resyncs(c.verb), LeavesAsIs(c.verb), known)
		}
	}
}

func TestWhichVerbsSeverAndJoin(t *testing.T) {
	for word, want := range map[string][2]bool{Cut: {true, false}, Down: {true, false}, Heal: {false, true}, Up: {false, true},
		Lose: {}, Crash: {}, Restore: {}, "vanish": {}} {
		if got := [2]bool{Severs(word), Joins(word)}; got != want {
			t.Errorf("%s severs, joins: %v, want %v", word, got, want)
		}
	}
}
