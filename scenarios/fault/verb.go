// Package fault is the table of the faults, one verb per file: what the verb acts on and in which
// states, what undoes it, whether the process survives, and what proves that it took effect.
//
// The language, lint, the checks, the reports and the reference read the table; each world
// executes the verbs. The package itself executes nothing.
package fault

import (
	"slices"
	"strings"

	"baton/scenarios/lab"
)

// Verb is a kind of fault.
type Verb struct {
	Word string
	Also []string // names in other tools; an error message suggests Word for them
	On   Object
	Doc  string // what it does, for the reference
	// Names says which host a step names, for messages; "" if Doc is enough.
	Names string
	// Receipt is what proves that it took effect, for the reference.
	Receipt string

	// Kinds are the kinds of hosts that it can act on.
	Kinds []lab.Kind
	// From are the states of a host in which it is possible, and To is the state after it.
	// Refuse is the message for other states, with the host's state for %s.
	From   []State
	To     State
	Refuse string

	// Share says that it affects a share of the packets.
	Share bool
	// Time says that it takes a duration by which packets are delayed.
	Time bool
	// Impairs says that packets pass a wire of package scenarios/link.
	Impairs bool
	// Ways are its variants, of which a step selects one; empty if it has only one.
	Ways []Way
	// Keys are its settings, in the order of the canonical form; Wants says that it needs at
	// least one.
	Keys  []Key
	Wants bool
	// Process says that it ends with the host's process.
	Process bool
	// Answers says that the receipt is an answer of the process, which a frozen one cannot give.
	Answers bool
	// Bounded says that it ends by itself after its duration, which is required.
	Bounded bool
	// All says that it affects every link if none is named.
	All bool

	// As is the verb that this one repeats.
	As string
	// Undo is the verb that undoes it, "" if there is none.
	Undo string
	// Takes says that a MASTER loses its role without a handover, Asks that it requests a
	// handover.
	Takes, Asks bool
	// Severs says that no packet passes in its directions.
	Severs bool
	// Resyncs says that connection sync starts again after it.
	Resyncs bool
	// Needs is the capability that it requires of the subject, "" for none.
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

// The kinds of hosts that verbs act on.
var (
	nodes    = []lab.Kind{lab.Node}
	machines = []lab.Kind{lab.Node, lab.Client, lab.Backend}
)

// State is the state of a host.
type State uint8

const (
	Running State = iota
	Ended         // no process; kernel and links work
	Crashed       // no power
	Frozen        // the process is stopped
)

func (s State) String() string { return [...]string{"up", "down", "down", "frozen"}[s] }

// verbs are in the order of the reference.
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

// Called returns our words for a fault that other tools call word.
func Called(word string) []string {
	return Meant(func(v Verb) bool { return slices.Contains(v.Also, strings.ToLower(word)) })
}

// Words lists the words of all verbs.
func Words() []string { return Meant(func(Verb) bool { return true }) }

// Meant lists the words of the verbs for which is returns true.
func Meant(is func(Verb) bool) []string {
	var words []string
	for _, v := range verbs {
		if is(v) {
			words = append(words, v.Word)
		}
	}
	return words
}

// Ends reports whether a verb ends a process, and with it its programs that are not pinned.
func Ends(word string) bool {
	v, ok := Of(word)
	return ok && v.On == Machines && (v.To == Ended || v.To == Crashed)
}

// Unpowers reports whether a verb is a power failure, which clears the host's kernel state.
func Unpowers(word string) bool {
	v, ok := Of(word)
	return ok && v.On == Machines && v.To == Crashed
}

// Stops reports whether a host cannot act after a verb.
func Stops(word string) bool {
	v, ok := Of(word)
	return ok && v.On == Machines && v.To != Running
}

// LeavesAsIs reports whether a verb leaves the state of a host unchanged.
func LeavesAsIs(word string) bool {
	v, _ := Of(word)
	return slices.Contains(v.From, v.To)
}

// Takes reports whether a MASTER loses its role by a verb without a handover.
func Takes(word string) bool { v, _ := Of(word); return v.Takes }

// Asks reports whether a verb requests a handover.
func Asks(word string) bool { v, _ := Of(word); return v.Asks }

// Resyncs reports whether connection sync starts again after a verb.
func Resyncs(word string) bool { v, _ := Of(word); return v.Resyncs }

// Severs reports whether no packet passes in the directions of a verb.
func Severs(word string) bool { v, _ := Of(word); return v.Severs }

// Joins reports whether a verb undoes one that severs.
func Joins(word string) bool {
	return slices.ContainsFunc(verbs, func(v Verb) bool { return v.Severs && v.Undo == word })
}

// Undoes reports whether a verb undoes another.
func Undoes(word string) bool {
	return slices.ContainsFunc(verbs, func(v Verb) bool { return v.Undo == word && word != "" })
}

// UndoOf is the verb that undoes another, "" if there is none.
func UndoOf(word string) string { v, _ := Of(word); return v.Undo }

// Forms returns the forms in which the verb is written.
func (v Verb) Forms() []string {
	switch v.On {
	case Machines, Traits:
		return []string{v.Word + v.amount() + " " + v.whom() + "..." + v.keys() + v.lasting()}
	case Senders:
		return []string{v.Word + " KIND [SERVICE] from CLIENT rate=RATE for DURATION", v.Word + " bfd NODE from CLIENT rate=RATE for DURATION"}
	}
	if v.On == Programs {
		return []string{v.Word + ` HOST "COMMAND" [as NAME] for DURATION`}
	}
	if v.On == Ports {
		return []string{v.Word + " HOST via LINK" + v.lasting(), v.Word + " LINK" + v.lasting()}
	}
	word, rest := v.Word+v.amount(), v.keys()+v.lasting()
	forms := []string{word + " [PACKETS] sync" + rest, word + " [PACKETS] FROM->TO|FROM<->TO [via LINK]" + rest}
	if v.All {
		forms = append([]string{v.Word}, forms...)
	}
	return forms
}

// amount, whom and keys return the parts of a form after the verb.
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

func (v Verb) lasting() string {
	switch {
	case v.As != "":
		return " every DURATION for DURATION"
	case v.Undo != "":
		return " [[every DURATION] for DURATION]"
	}
	return ""
}

// Capabilities lists the capabilities that the verb requires of the subject with these keys.
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

// Usage returns its forms in one line, with its keys.
func (v Verb) Usage() string {
	usage := strings.Join(v.Forms(), " | ")
	if strings.Contains(usage, "KEY=") {
		usage += "; KEY is " + strings.Join(v.KeyNames(), "|")
	}
	return usage
}
