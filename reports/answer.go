package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/reports/cause"
	"baton/reports/load"
	"baton/reports/timeline"
	"baton/scenarios/check"
	"baton/scenarios/evidence"
	"baton/scenarios/plan"
)

// sentenceMost bounds a sentence of an answer, in characters.
const sentenceMost = 400

// FirstSentence is the first sentence of the report on a run in a folder: what went wrong, when, by
// which node. It is empty if nothing did, and if it says no more than a reason of the verdict.
func FirstSentence(dir string, v check.Verdict) string {
	sentences, _ := answer(load.NewReader().Read(dir), v)
	if len(sentences) == 0 {
		return ""
	}
	said := strings.TrimSuffix(sentences[0], ".")
	if slices.ContainsFunc(v.Reasons, func(reason string) bool { return strings.Contains(reason, said) }) {
		return ""
	}
	return sentences[0]
}

// answer describes the failure of a run in a few sentences: the damage to clients, its time, the
// node that caused it and the latest fault; without damage, the check that failed first. alike is
// the cause without times and counts, equal for runs with the same failure. Both are empty if
// nothing failed.
func answer(run *load.Run, v check.Verdict) (sentences []string, alike string) {
	if v.Verdict != check.Fail && v.Verdict != check.Inconclusive {
		return nil, ""
	}
	if len(run.Events) == 0 {
		sentences = slices.Clone(v.Reasons[:min(1, len(v.Reasons))]) // without a trace, time and node are unknown
		return sentences, "the run left no trace"
	}
	a := answering{start: timeline.Start(run.Events), events: run.Events, metrics: v.Metrics, also: "Failed too: "}
	if v.Verdict == check.Inconclusive {
		a.also = "Not decided either: "
	}
	for _, c := range v.Checks {
		if c.Verdict == v.Verdict && !c.Control {
			a.failed = append(a.failed, c)
		}
	}
	slices.SortStableFunc(a.failed, func(x, y check.Check) int {
		return cmp.Compare(x.FailedAt(), y.FailedAt())
	})
	sentences = a.sentences()
	if len(sentences) == 0 && len(v.Reasons) > 0 {
		sentences = []string{v.Reasons[0] + a.counted(v.Reasons[0])}
	}
	led, found := a.led()
	if found && len(sentences) > 0 {
		sentences[0] = fmt.Sprintf("At %s, %s%s: %s", a.at(led.At), led.What, a.many(), sentences[0])
	}
	for i, sentence := range sentences {
		if text := []rune(sentence); len(text) > sentenceMost {
			sentences[i] = string(text[:sentenceMost]) + "…"
		}
	}
	if found {
		return sentences, led.What + ": " + a.cause()
	}
	return sentences, a.cause()
}

// harmShown has the kind of harm that a failed check shows; that of the others is Broken, or is told by what they missed.
var harmShown = map[string]cause.Kind{
	"gap":             cause.Silence,
	"incomplete":      cause.Ended,
	"sticky":          cause.Moved,
	"connects_failed": cause.Unconnected,
	"unanswered":      cause.Unconnected,
	"masters":         cause.Apart,
	"forwarders":      cause.Apart,
	plan.Exclusive:    cause.Apart,
	plan.Converged:    cause.Apart,
}

// led returns the cause of the damage in the first sentence, or, without damage, of the first failed
// check.
func (a answering) led() (cause.Cause, bool) {
	for _, d := range damages {
		if _, failed := a.of(d.check); !failed {
			continue
		}
		if clusters := evidence.Clusters(a.events, d.is); len(clusters) > 0 {
			from, silent := a.silentFrom(clusters[0].First)
			harm := cause.Harm{From: from, To: clusters[0].From, Kind: cause.Ended}
			if silent {
				harm.Kind = cause.Silence
			}
			return cause.Of(a.events, harm)
		}
	}
	if len(a.failed) == 0 && a.metrics["rst"]+a.metrics["lost"] > 0 {
		return cause.Cause{}, false
	}
	if len(a.failed) == 0 {
		return cause.Of(a.events, cause.Harm{Kind: cause.Uncaught})
	}
	if c, failed := a.of("corrupt"); failed && c.Failed != nil {
		// A flow that gets another flow's answers also has a gap, which may begin earlier.
		if found, ok := cause.Of(a.events, cause.Harm{From: c.Failed.From, To: c.Failed.To, Kind: cause.Mixed}); ok {
			return found, true
		}
	}
	if a.failed[0].Failed == nil || a.failed[0].Name == plan.CheckLoad {
		return cause.Cause{}, false
	}
	c := a.failed[0]
	harm := cause.Harm{From: c.Failed.From, To: c.Failed.To, Kind: harmShown[c.Name]}
	switch c.Name {
	case "gap":
		harm.Ended = a.goesOn(c.Failed.To)
	case plan.CheckRole, plan.CheckInSync, plan.CheckWait:
		harm.Kind, harm.Node = missing(c)
	case plan.Converged:
		if found, ok := cause.Of(a.events, harm); ok {
			return found, true
		}
		harm.Kind, harm.Node = missing(c)
	}
	return cause.Of(a.events, harm)
}

// goesOn reports whether the run goes on for half a second after an instant: a silence that ended then was not that of
// its end.
func (a answering) goesOn(at clock.Instant) bool {
	return a.events[len(a.events)-1].At.Sub(at) >= time.Second/2
}

// missing returns what a failed check did not find: a node in sync, or in a role.
func missing(c check.Check) (cause.Kind, string) {
	switch {
	case c.Missed == nil:
		return cause.Waiting, ""
	case c.Missed.InSync:
		return cause.Unsynced, c.Missed.Node
	}
	return cause.Waiting, c.Missed.Node
}

// many says how many new flows were refused, if that is the cause.
func (a answering) many() string {
	if len(a.failed) == 0 || harmShown[a.failed[0].Name] != cause.Unconnected || a.failed[0].Failed == nil {
		return ""
	}
	if n := cause.Refused(a.events, cause.Harm{From: a.failed[0].Failed.From, To: a.failed[0].Failed.To}); n > 0 {
		return fmt.Sprintf(", %d times", n)
	}
	return ""
}

// counted describes the damage to clients in a control that was not caught.
func (a answering) counted(reason string) string {
	if !strings.HasPrefix(reason, "control not caught") {
		return ""
	}
	return fmt.Sprintf(": %.0f RSTs were seen, and %.0f sessions lost.", a.metrics["rst"], a.metrics["lost"])
}

// silentFrom is when a lost session stopped getting answers, or when it was lost if that is unknown.
func (a answering) silentFrom(lost trace.Event) (clock.Instant, bool) {
	for _, e := range a.events {
		if t := lost.Traffic; t != nil && e.Gap != nil && e.Gap.Name == t.Name && e.Gap.Flow == t.Flow && e.Gap.To == lost.At {
			return e.Gap.From, true
		}
	}
	return lost.At, false
}

// answering holds the inputs of an answer.
type answering struct {
	start   clock.Instant
	events  []trace.Event
	metrics check.Metrics
	failed  []check.Check // by time
	also    string        // introduces the failed checks without damage of their own
}

func (a answering) sentences() []string {
	var list []string
	told := map[string]bool{}
	for _, d := range damages {
		if c, ok := a.of(d.check); ok {
			if said := a.damaged(d, c); said != "" {
				list, told[d.check] = append(list, said), true
			}
		}
	}
	var others []string
	for _, c := range a.failed {
		switch {
		case told[c.Name]:
		case len(list) == 0:
			list, told[c.Name] = append(list, headline(c)+"."), true
		default:
			told[c.Name] = true
			others = append(others, strings.TrimSpace(c.Name+" "+a.since(c)))
		}
	}
	if len(others) > 0 {
		list = append(list, a.also+strings.Join(others, ", ")+".")
	}
	return list
}

// headline is the detail of a check, with the check's name if the detail lacks it.
func headline(c check.Check) string {
	if strings.HasPrefix(c.Detail, c.Name+" ") || strings.HasPrefix(c.Detail, plan.VerbExpect+" ") {
		return c.Detail
	}
	return c.Name + ": " + c.Detail
}

// cause names the first failure in the sentences and the fault before it.
func (a answering) cause() string {
	for _, d := range damages {
		if _, failed := a.of(d.check); !failed {
			continue
		}
		if clusters := evidence.Clusters(a.events, d.is); len(clusters) > 0 {
			from, _ := a.silentFrom(clusters[0].First)
			return d.what + a.behind(from) + d.who(clusters[0].First)
		}
	}
	if len(a.failed) == 0 {
		return "no check of its own failed"
	}
	first := a.failed[0]
	said := first.Name
	if claim := claimed(first); claim != first.Detail && claim != first.Name {
		said += ": " + claim
	}
	if first.Failed == nil {
		return said
	}
	return said + "," + a.behind(first.Failed.From)
}

// behind names the latest fault before an instant.
func (a answering) behind(at clock.Instant) string {
	f, _, ok := a.fault(at)
	if !ok {
		return " before any fault"
	}
	return " after " + f.What()
}

// damage is a kind of damage to clients: the check that counts it, its events, and a text on who
// caused one.
type damage struct {
	check, what string
	is          func(trace.Event) bool
	who         func(trace.Event) string
}

var damages = []damage{
	{"rst", "RSTs", func(e trace.Event) bool { return e.RST != nil }, resetBy},
	{"lost", "sessions lost", func(e trace.Event) bool { return e.Traffic != nil && e.Traffic.Event == trace.TrafficLost }, func(trace.Event) string { return "" }},
}

// damaged describes the damage that a check counted: the largest cluster, who caused its first
// event, and then the rest. It is "" if the trace has none.
func (a answering) damaged(d damage, c check.Check) string {
	clusters := evidence.Clusters(a.events, d.is)
	if len(clusters) == 0 {
		return ""
	}
	main, rest := clusters[0], clusters[1:]
	count := fmt.Sprintf("%.0f", a.metrics[d.check])
	if len(rest) > 0 {
		count = fmt.Sprintf("%d of %s", main.Count, count)
	}
	from, silent := a.silentFrom(main.First)
	when := "the first at "
	if silent {
		when = "the first silent from "
	}
	said := fmt.Sprintf("%s %s (%s), %s%s%s%s.", count, d.what, claimed(c), when, a.at(from), a.after(from), d.who(main.First))
	if len(rest) > 0 {
		others := 0
		for _, cluster := range rest {
			others += cluster.Count
		}
		earliest := slices.MinFunc(rest, func(x, y evidence.Cluster) int { return cmp.Compare(x.From, y.From) })
		said += fmt.Sprintf(" %d more, the first at %s%s.", others, a.at(earliest.From), a.after(earliest.From))
	}
	return said
}

// resetBy says who sent a RST, and the role and table entry of the balancer that forwarded it.
func resetBy(e trace.Event) string {
	r := e.RST
	by := ": made by " + orElse(r.Origin, r.Sender)
	if r.LB != "" && r.LB != orElse(r.Origin, r.Sender) {
		by += ", passed on by " + r.LB
	}
	if r.LB != "" {
		by += fmt.Sprintf("; %s was %s%s", r.LB, orElse(r.Role, "without a role"), knewFlow[r.Entry])
	}
	return by
}

// knewFlow describes a balancer's table entry for the flow of a RST. It skips balancers whose
// table cannot be read.
var knewFlow = map[string]string{
	"":        " and had no entry for the flow",
	"none":    " and had no entry for the flow",
	"opened":  " and had opened the flow itself",
	"synced":  " and had the flow's entry from its peer",
	"adopted": " and had adopted the flow from a segment in mid-flow",
}

// of returns the first failed check of a name.
func (a answering) of(name string) (check.Check, bool) {
	i := slices.IndexFunc(a.failed, func(c check.Check) bool { return c.Name == name })
	if i < 0 {
		return check.Check{}, false
	}
	return a.failed[i], true
}

// after names the last fault before an instant and how long ago it began.
func (a answering) after(at clock.Instant) string {
	f, began, ok := a.fault(at)
	if !ok {
		return ""
	}
	return fmt.Sprintf(", %s after %s", ago(at.Sub(began)), f.What())
}

// ago formats the time between two events in a suitable unit.
func ago(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// fault is the last fault that began before an instant.
func (a answering) fault(at clock.Instant) (last *trace.Fault, began clock.Instant, ok bool) {
	for _, e := range a.events {
		if e.At > at {
			break
		}
		if e.Fault != nil && e.Fault.Phase == "begin" {
			last, began = e.Fault, e.At
		}
	}
	return last, began, last != nil
}

// since is when a check first failed, "" if it has no time.
func (a answering) since(c check.Check) string {
	if c.Failed == nil {
		return ""
	}
	return "from " + a.at(c.Failed.From)
}

func (a answering) at(t clock.Instant) string {
	return fmt.Sprintf("%+.3f s", t.Sub(a.start).Seconds())
}

// claimed is the claim of a check, without its finding.
func claimed(c check.Check) string {
	claim, _, _ := strings.Cut(c.Detail, " over ")
	return claim
}
