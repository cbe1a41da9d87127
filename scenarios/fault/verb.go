// Package fault is the table of what can be done to a lab: a file a verb, which says
// what the verb acts on, from which states, what undoes it, what it leaves of a
// process, and what proves that it took hold.
//
// The language, lint, the checks, the reports and the reference read the table; each
// world has an execution for every verb that the table gives it. The package does
// nothing to anything itself.
package fault

import (
	"slices"
	"strings"

	"baton/scenarios/lab"
)

// Verb is something that can be done to a lab.
type Verb struct {
	Word string
	On   Object
	Doc  string // what it does, for the reference
	// Receipt is what proves that it took hold, for the reference.
	Receipt string

	// Kinds are the machines that it can be done to.
	Kinds []lab.Kind
	// From are the states in which a machine can have it done, To is the one that it
	// leads to; Refuse says why it cannot, with the machine's state for %s.
	From   []State
	To     State
	Refuse string

	// Share says that it concerns a share of what is sent.
	Share bool
	// Time says that it concerns a time, by which packets are late.
	Time bool
	// Impairs says that packets cross a wire of package scenarios/link.
	Impairs bool
	// Ways are what it can mean, of which a scenario says one; none: it means one thing.
	Ways []Way
	// Keys are its settings, in the order of the canonical form; Wants says that it comes
	// to nothing without one.
	Keys  []Key
	Wants bool
	// Process says that it holds no longer than the machine's process lives.
	Process bool
	// Answers says that the process itself must act for the receipt, which a frozen one cannot.
	Answers bool
	// Bounded says that it ends by itself after the time that a scenario must say.
	Bounded bool
	// All says that it concerns every link where none is named.
	All bool

	// As is the verb that is done every so often where a scenario says this one.
	As string
	// Undo is the verb that takes it back, "" if it leaves nothing to take back.
	Undo string
	// Takes says that a MASTER loses its role by it unasked, Asks that it asks the
	// MASTER to give the role away.
	Takes, Asks bool
	// Severs says that nothing passes in the directions that it names.
	Severs bool
	// Resyncs says that connection sync begins anew after it.
	Resyncs bool
	// Needs is the capability of the subject without which it cannot be done, "" for none.
	Needs string
}

// Object is what a verb acts on.
type Object uint8

const (
	Machines Object = iota // crash lb1
	Wires                  // cut lb1->lb2 via sync
	Ports                  // down lb1 via sync
	Traits                 // deaf client1, starve lb1 cpu=20%
	Senders                // flood syn web from client1
	Programs               // run client1 "curl http://198.18.0.100/" for 2s
)

// nodes and machines are what verbs can be done to.
var (
	nodes    = []lab.Kind{lab.Node}
	machines = []lab.Kind{lab.Node, lab.Client, lab.Backend}
)

// State is what a machine is, as far as the verbs say.
type State uint8

const (
	Running State = iota
	Ended         // no process; kernel and links are there
	Crashed       // no power
	Frozen        // the process stands still
)

func (s State) String() string { return [...]string{"up", "down", "down", "frozen"}[s] }

// verbs in the order of the reference.
var verbs = []Verb{crash, kill, stop, restore, freeze, thaw, handover, reload, drain, upgrade, step, cut, lose, delay, duplicate, reorder, corrupt, limit, heal, down, up, flap, deaf, hears, starve, feed, mapFails, eventsFail, mend, certificate, renew, disk, clearDisk, flood, run}

// Verbs lists the table.
func Verbs() []Verb { return slices.Clone(verbs) }

// Of returns the verb of a word.
func Of(word string) (Verb, bool) {
	i := slices.IndexFunc(verbs, func(v Verb) bool { return v.Word == word })
	if i < 0 {
		return Verb{}, false
	}
	return verbs[i], true
}

// Words lists the words of all verbs.
func Words() []string { return Meant(func(Verb) bool { return true }) }

// Meant lists the words of the verbs that are meant.
func Meant(is func(Verb) bool) []string {
	var words []string
	for _, v := range verbs {
		if is(v) {
			words = append(words, v.Word)
		}
	}
	return words
}

// Ends reports whether a verb ends a process, and with it the programs that it holds.
func Ends(word string) bool {
	v, ok := Of(word)
	return ok && v.On == Machines && (v.To == Ended || v.To == Crashed)
}

// Unpowers reports whether a verb takes a machine's power, and with it all that its kernel
// holds.
func Unpowers(word string) bool {
	v, ok := Of(word)
	return ok && v.On == Machines && v.To == Crashed
}

// Stops reports whether a verb leaves a machine unable to act.
func Stops(word string) bool {
	v, ok := Of(word)
	return ok && v.On == Machines && v.To != Running
}

// LeavesAsIs reports whether a machine is in the same state after a verb as before it.
func LeavesAsIs(word string) bool {
	v, _ := Of(word)
	return slices.Contains(v.From, v.To)
}

// Takes reports whether a MASTER loses its role by a verb, unasked.
func Takes(word string) bool { v, _ := Of(word); return v.Takes }

// Asks reports whether a verb asks the MASTER to give the role away.
func Asks(word string) bool { v, _ := Of(word); return v.Asks }

// Resyncs reports whether connection sync begins anew after a verb.
func Resyncs(word string) bool { v, _ := Of(word); return v.Resyncs }

// Severs reports whether nothing passes in the directions of a verb.
func Severs(word string) bool { v, _ := Of(word); return v.Severs }

// Joins reports whether a verb takes back what severs.
func Joins(word string) bool {
	return slices.ContainsFunc(verbs, func(v Verb) bool { return v.Severs && v.Undo == word })
}

// UndoOf is the verb that takes back what another did, "" if nothing does.
func UndoOf(word string) string { v, _ := Of(word); return v.Undo }

// Forms are the ways in which the verb is written.
func (v Verb) Forms() []string {
	switch v.On {
	case Machines, Traits:
		return []string{v.Word + v.amount() + " " + v.whom() + "..." + v.keys()}
	case Senders:
		return []string{v.Word + " KIND [SERVICE] from CLIENT rate=RATE for DURATION", v.Word + " bfd NODE from CLIENT rate=RATE for DURATION"}
	}
	if v.On == Programs {
		return []string{v.Word + ` HOST "COMMAND" [as NAME] for DURATION`}
	}
	if v.On == Ports {
		every := ""
		if v.As != "" {
			every = " every DURATION for DURATION"
		}
		return []string{v.Word + " HOST via LINK" + every, v.Word + " LINK" + every}
	}
	word, keys := v.Word+v.amount(), v.keys()
	forms := []string{word + " sync" + keys, word + " [PACKETS] FROM->TO [via LINK]" + keys, word + " [PACKETS] FROM<->TO [via LINK]" + keys}
	if v.All {
		forms = append([]string{v.Word}, forms...)
	}
	return forms
}

// amount, whom and keys are what stands behind its word in a form.
func (v Verb) amount() string {
	switch {
	case v.Share:
		return " SHARE"
	case v.Time:
		return " DURATION"
	case len(v.Ways) > 0:
		return " " + strings.Join(v.WayNames(), "|")
	}
	return ""
}

func (v Verb) whom() string {
	if slices.Contains(v.Kinds, lab.Backend) {
		return "HOST"
	}
	return "NODE"
}

func (v Verb) keys() string {
	switch {
	case v.Wants:
		return " KEY=VALUE..."
	case len(v.Keys) > 0:
		return " [KEY=VALUE...]"
	}
	return ""
}

// Capabilities are those of the subject without which it cannot be done as said: by the
// keys that are set.
func (v Verb) Capabilities(keys []string) []string {
	var list []string
	if v.Needs != "" {
		list = append(list, v.Needs)
	}
	for _, k := range v.Keys {
		if k.Provided != "" && slices.Contains(keys, k.Name) {
			list = append(list, k.Provided)
		}
	}
	return list
}

// Usage is its forms in one line.
func (v Verb) Usage() string { return strings.Join(v.Forms(), " | ") }
