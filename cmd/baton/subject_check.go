package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/netns"
	"baton/netns/subject"
	"baton/scenarios"
	"baton/scenarios/check"
	"baton/scenarios/evidence"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// tryout is the scenario of subject check: the pair starts, serves traffic, and stops.
//
//go:embed tryout.scn
var tryout []byte

func subjectCheckCommand() *cobra.Command {
	out := ""
	c := &cobra.Command{
		Use:   "check SUBJECT",
		Short: "Try each part of a subject and report what fails",
		Long: "Check reads an adapter file (or takes a subject by its name), looks for the programs that it needs, starts a pair\n" +
			"of its nodes, waits for one MASTER, sends traffic through it, and stops both. It injects no fault. Of the roles\n" +
			"it checks only that there is one MASTER, that this node forwards, and that it keeps the role.",
		Example: "  baton subject check ./my.yaml",
		Args:    cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"yaml"}, cobra.ShellCompDirectiveFilterFileExt
		},
		RunE: func(c *cobra.Command, args []string) error {
			s, err := subject.Named(args[0])
			if err != nil {
				return badInput("%w", err)
			}
			if err := probeReal(); err != nil {
				return err
			}
			if a, ok := s.(*subject.Adapter); ok {
				if err := a.Unmet(); err != nil {
					return badInput("%w", err)
				}
			}
			return trySubject(c.Context(), os.Stdout, s, out)
		},
	}
	c.Flags().StringVar(&out, "out", filepath.Join(os.TempDir(), "baton-subject"), "folder of the configurations and logs")
	folder(c, "out")
	return c
}

// trySubject runs the tryout and prints a line for each part.
func trySubject(ctx context.Context, w io.Writer, s subject.Subject, out string) error {
	p, err := plan.Parse("tryout.scn", tryoutOf(s))
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(filepath.Join(out, s.Name()))
	if err != nil {
		return err
	}
	job := scenarios.Job{Plan: p, World: plan.Netns, SUT: s.Name(), Seed: 1, Dir: dir, Keep: evidence.KeepAll, NewWorld: func(st scenarios.Stage) (scenarios.World, error) {
		return netns.NewWorld(p, netns.WorldConfig{Dir: st.Dir, Baton: program, Subject: s, Recorder: st.Recorder, EvidenceLimit: st.EvidenceLimit}), nil
	}}
	verdict, err := job.Execute(ctx)
	if err != nil {
		return err
	}
	if verdict.Verdict == check.Skip {
		return badInput("%s", strings.Join(verdict.Reasons, "; "))
	}
	events, err := scenarios.ReadTrace(dir)
	if err != nil {
		return err
	}
	code := exitPass
	for _, part := range parts(s, events, verdict) {
		state := "ok"
		switch {
		case part.told:
			state = "note"
		case part.unsure:
			state, code = "?", max(code, exitInconclusive)
		case !part.ok:
			state, code = "FAIL", exitFail
		}
		fmt.Fprintf(w, "%-5s %-8s %s\n", state, part.name, part.found)
	}
	kept, err := evidence.Read(dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "      %-8s %s: %s\n", "kept", dir, evidenceFiles(kept))
	if code != exitPass {
		return &exitError{code: code}
	}
	return nil
}

// nobodyWas reports that there was no MASTER. It adds the time waited, unless a node had ended, and the
// nodes' messages or how the wire would show a MASTER.
func nobodyWas(s subject.Subject, ended bool, notes []string) string {
	if ended {
		return "nobody was Master"
	}
	why := "nobody was Master within 10s"
	switch a, adapter := s.(*subject.Adapter); {
	case len(notes) > 0:
		return why + ": " + strings.Join(notes, "; ")
	case adapter && a.Roles == subject.RolesByWire:
		return why + ": no node sent VRRP or CARP advertisements or announced a VIP by ARP or NDP to the clients"
	}
	return why
}

// unjudged is the note after a list of missing capabilities.
func unjudged(s subject.Subject) string {
	if len(subject.Lacks(s)) == 0 {
		return ""
	}
	return ": claims that need it are not judged"
}

// tryoutOf is the tryout with a step for each request that the subject supports.
func tryoutOf(s subject.Subject) []byte {
	steps := ""
	for _, verb := range fault.Verbs() {
		asks := verb.Word == fault.Handover || verb.Word == fault.Reload
		if asks && slices.Contains(s.Provides(), verb.Needs) {
			steps += "@2s      " + verb.Word + " lb1\n"
		}
	}
	load := ""
	for _, f := range familiesOf(s) {
		load += tryoutLoad[f]
	}
	text := bytes.Replace(tryout, []byte(tryoutStop), []byte(steps+tryoutStop), 1)
	return bytes.Replace(text, []byte(tryoutClaims), []byte(load+tryoutClaims), 1)
}

// familiesOf lists the families that the subject balances.
func familiesOf(s subject.Subject) []lab.Family {
	a, adapter := s.(*subject.Adapter)
	return slices.DeleteFunc([]lab.Family{lab.IPv4, lab.IPv6}, func(f lab.Family) bool { return adapter && !a.Balances(f) })
}

// tryoutVIPs are the VIPs of the tryout.
var tryoutVIPs = [lab.Families]string{lab.IPv4: "198.18.0.100", lab.IPv6: "2001:2::100"}

// unannounced lists the VIPs that no node announced to the clients. A VIP on another device still
// answers ARP, so only a takeover shows the defect: clients wait until their neighbour entry expires.
func unannounced(events []trace.Event, families []lab.Family) (vips []string) {
	for _, f := range families {
		if !slices.ContainsFunc(events, func(e trace.Event) bool {
			return e.GARP != nil && e.GARP.Edge == lab.Clients && e.GARP.VIP == tryoutVIPs[f]
		}) {
			vips = append(vips, tryoutVIPs[f])
		}
	}
	return vips
}

// tryoutLoad is a service of each family and its traffic, which is named like the family.
var tryoutLoad = [lab.Families]string{
	lab.IPv4: "service  web tcp " + tryoutVIPs[lab.IPv4] + ":80 mode=fullnat\ntraffic  IPv4 sessions tcp count=20 every=50ms service=web\n",
	lab.IPv6: "service  web6 tcp [" + tryoutVIPs[lab.IPv6] + "]:80 mode=fullnat\ntraffic  IPv6 sessions tcp count=20 every=50ms service=web6\n",
}

// tryoutClaims is the beginning of the tryout's line before which they are inserted.
const tryoutClaims = "always"

// tryoutStop is the beginning of the tryout's line before which those steps are inserted.
const tryoutStop = "@4s      stop"

// part is one requirement of a subject and its result.
type part struct {
	name, found string
	ok          bool
	unsure      bool // the host stalled: neither passed nor failed
	told        bool // a node's remark, neither passed nor failed
}

// disputes returns why a run does not show exactly one MASTER: two nodes have the role, or a node
// forwards without it. outcome selects the failed checks (Fail) or the inconclusive ones.
func disputes(v check.Verdict, outcome check.Outcome) []string {
	var found []string
	for _, c := range v.Checks {
		if (c.Name == "masters" || c.Name == "forwarders") && c.Verdict == outcome {
			found = append(found, c.Detail)
		}
	}
	return found
}

// stallShows limits how long after a stall of the host a takeover can be the stall's. The silence of a node that did not
// run is as long as the stall and the pause between two of its messages; a peer that calls it dead for that has a
// detection time of at most 1.5 stalls, if that is three messages. The rest is what a claim and a poll of the roles take.
const stallShows = time.Second

// moves lists the takeovers between the wait for a MASTER and the first fault, which nothing in the scenario causes.
// Takeovers soon after a stall of the host are doubtful, since a node that did not run looks dead to its peer, and so
// are those after a doubtful one, which may give the role back.
func moves(events []trace.Event) (found, doubtful []string) {
	waited, excused := false, clock.Instant(0)
	for _, e := range events {
		switch {
		case e.Step != nil && e.Step.Index == 0 && e.Step.Phase == "end":
			waited = true
		case e.Fault != nil:
			return found, doubtful
		case e.Stall != nil && e.Stall.Line == "" && e.Stall.Start == "" && time.Duration(e.Stall.Took) > plan.DefaultTolerate:
			excused = e.At.Add(2*time.Duration(e.Stall.Took) + stallShows)
		case !waited || e.Role == nil || e.Role.To != "Master" || e.Role.From == "Master":
		case e.At.Before(excused) || len(doubtful) > 0:
			doubtful = append(doubtful, e.Node+" became Master without a fault, but the host had stood still")
		default:
			found = append(found, e.Node+" became Master without a fault")
		}
	}
	return found, doubtful
}

// roles reports who was MASTER.
func roles(v check.Verdict, events []trace.Event, masters []string, nobody string) part {
	moved, doubted := moves(events)
	failed, doubtful := append(disputes(v, check.Fail), moved...), append(disputes(v, check.Inconclusive), doubted...)
	p := part{name: "roles", ok: len(masters) > 0 && len(failed) == 0}
	if p.unsure = p.ok && len(doubtful) > 0; p.unsure {
		failed = doubtful
	}
	if p.found = strings.Join(append(failed, masters...), "; "); p.found == "" {
		p.found = nobody
	}
	return p
}

// served is the traffic through the VIP of a family.
type served struct {
	tried      bool
	received   uint64   // answers
	forwarders []string // nodes that forwarded requests to the backends
}

// crossings counts the answers by family, and notes which nodes forwarded requests.
func crossings(families []lab.Family, events []trace.Event) map[string]*served {
	found := map[string]*served{}
	for _, f := range families {
		found[f.String()] = &served{}
	}
	for _, e := range events {
		switch {
		case e.Totals != nil && e.Totals.Final && found[e.Totals.Name] != nil:
			found[e.Totals.Name].tried = true
			found[e.Totals.Name].received += e.Totals.Received
		case e.Forwarder != nil && e.Forwarder.Edge == lab.Backends && e.Node != e.Forwarder.From:
			for _, f := range families {
				to := found[f.String()]
				if vip, err := netip.ParseAddr(e.Forwarder.VIP); (err != nil || lab.FamilyOf(vip) == f) && !slices.Contains(to.forwarders, e.Node) {
					to.forwarders = append(to.forwarders, e.Node)
				}
			}
		}
	}
	return found
}

// serves reports how many answers came through the VIP of each family. Each VIP must have some.
func serves(families []lab.Family, events []trace.Event) part {
	p := part{name: "serves", ok: true}
	var found []string
	crossed := crossings(families, events)
	for _, f := range families {
		each, of := crossed[f.String()], ""
		if len(families) > 1 {
			of = f.String() + " "
		}
		found = append(found, fmt.Sprintf("%d answers through the %sVIP%s", each.received, of, each.stuck()))
		p.ok = p.ok && each.received > 0
	}
	p.found = strings.Join(found, ", ")
	return p
}

// stuck says how far unanswered requests came.
func (s *served) stuck() string {
	switch {
	case s.received > 0 || !s.tried:
		return ""
	case len(s.forwarders) == 0:
		return " (no request came to the backends, neither from a client's address nor from $BATON_BACKEND_VIP: does the node forward, and translate the VIP to one of $BATON_BACKENDS?)"
	}
	return fmt.Sprintf(" (%s sent requests on to the backends: does the answer's way lead back through the node?)", strings.Join(s.forwarders, " and "))
}

func parts(s subject.Subject, events []trace.Event, v check.Verdict) []part {
	var ended, masters, stopped, notes []string
	leaks, asked := 0, map[string]part{} // by verb
	for _, e := range events {
		switch {
		case e.Died != nil:
			ended = append(ended, fmt.Sprintf("%s ended by itself: %s", e.Node, e.Died.Why))
		case e.Role != nil && e.Role.To == "Master" && e.Role.From != "Master":
			then := ""
			if len(masters) > 0 {
				then = "then " // as after a handover
			}
			masters = append(masters, fmt.Sprintf("%s%s is Master (%s)", then, e.Node, e.Role.Reason))
		case e.Fault != nil && e.Fault.Verb == fault.Stop && e.Fault.Phase != "begin":
			stopped = append(stopped, fmt.Sprintf("%s: %s", e.Fault.Target, e.Fault.Receipt))
			leaks += map[string]int{"failed": 1}[e.Fault.Phase]
		case e.Fault != nil && e.Fault.Phase != "begin":
			asked[e.Fault.Verb] = part{name: e.Fault.Verb, found: e.Fault.Receipt, ok: e.Fault.Phase == "receipt" && !strings.Contains(e.Fault.Receipt, " refused: ")}
		case e.Leak != nil:
			stopped = append(stopped, e.Leak.What)
			leaks++
		case e.Note != "" && strings.HasPrefix(e.Node, "lb"):
			notes = append(notes, e.Note)
		}
	}
	list := func(lines []string, none string) string {
		if len(lines) == 0 {
			return none
		}
		return strings.Join(lines, "; ")
	}
	found := []part{
		{name: "starts", found: list(ended, "both nodes run"), ok: len(ended) == 0},
		roles(v, events, masters, nobodyWas(s, len(ended) > 0, notes)),
		serves(familiesOf(s), events),
	}
	for _, verb := range fault.Verbs() {
		if p, was := asked[verb.Word]; was {
			found = append(found, p)
		}
	}
	found = append(found, part{name: "stops", found: list(stopped, "not tried: nobody was Master"), ok: len(stopped) > 0 && leaks == 0})
	if vips := unannounced(events, familiesOf(s)); len(masters) > 0 && len(vips) > 0 {
		found = append(found, part{name: "garp", told: true, found: "nobody announced " + strings.Join(vips, " and ") +
			" to the clients: after a takeover they send to the old node until their neighbour entries expire"})
	}
	if len(notes) > 0 {
		found = append(found, part{name: "says", found: strings.Join(notes, "; "), told: true})
	}
	return append(found, part{name: "provides", found: list(s.Provides(), "nothing of itself"), ok: true},
		part{name: "lacks", found: list(subject.Lacks(s), "nothing") + unjudged(s), ok: true})
}
