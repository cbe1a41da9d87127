package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/needs"
	"baton/impl/trace"
	"baton/netns"
	"baton/netns/subject"
	"baton/scenarios/check"
	"baton/scenarios/lab"
)

// TestASubjectIsTried: each part that does not work is reported and determines the exit code,
// including roles that contradict each other or the wire.
func TestASubjectIsTried(t *testing.T) {
	if err := netns.Probe(); err != nil {
		t.Skipf("needs namespaces: %v", err)
	}
	needs.Programs(t, "nft", "arping")
	translates := "start: |\n  sysctl -qw net.ipv4.ip_forward=1; nft -f $BATON_RULESET\n"
	carries := "{ ip addr add $BATON_VIPS dev $BATON_CLIENT_DEV; ip addr add $BATON_BACKEND_VIP dev $BATON_BACKEND_DEV; }\n"
	carries6 := "{ ip addr add $BATON_VIPS6 dev $BATON_CLIENT_DEV; ip addr add $BATON_BACKEND_VIP6 dev $BATON_BACKEND_DEV; }\n"
	told := "run: exec sleep 60\nroles: poll\nrole: '[ $BATON_NUMBER = 1 ] && echo MASTER || echo BACKUP'\n"
	for _, c := range []struct {
		name, lines string
		code        int
		says        string
	}{
		{"dies", "run: exit 3\n", exitFail, "FAIL  starts   lb"},
		{"contradicts", translates + "  [ $BATON_NUMBER = 2 ] || " + carries + "run: exec sleep 60\nroles: poll\nrole: '[ $BATON_NUMBER = 1 ] && echo BACKUP || echo MASTER'\n",
			exitFail, "FAIL  roles    forwarders <= 1"},
		{"disputes", translates + "  " + carries + "run: while :; do arping -qU -c 1 -W 0.02 -i $BATON_CLIENT_DEV -S ${BATON_VIPS%/*} ${BATON_VIPS%/*} || true; sleep 0.1; done\n",
			exitFail, "FAIL  roles    "}, // masters or forwarders, depending on the host's stalls
		{"works", translates + "  [ $BATON_NUMBER = 2 ] || " + carries + told,
			exitPass, "ok    roles    lb1 is Master"},
		{"quiet", translates + "  [ $BATON_NUMBER = 2 ] || " + carries + told,
			exitPass, "note  garp     nobody announced 198.18.0.100 to the clients"},
		// lb1 carries the packets and is Master for a second after its start; lb2 is from two seconds after its own on.
		{"moves", "mounts: [/run]\n" + translates + "  [ $BATON_NUMBER = 2 ] || " + carries + "  date +%s%3N > /run/started\nrun: exec sleep 60\nroles: poll\n" +
			"role: 'ran=$(( $(date +%s%3N) - $(cat /run/started 2>/dev/null || date +%s%3N) )); case $BATON_NUMBER$((ran < 1000))$((ran >= 2000)) in 11?|2?1) echo MASTER;; *) echo BACKUP;; esac'\n",
			exitFail, " became Master without a fault"},
		{"babbles", translates + "run: exec sleep 60\nroles: poll\nrole: echo unsure\n",
			exitFail, "FAIL  roles    nobody was Master within 10s: lb"},
		{"silent", translates + "run: exec sleep 60\n",
			exitFail, "FAIL  roles    nobody was Master within 10s: no node sent VRRP or CARP"},
		{"both", "families: [IPv4, IPv6]\n" + translates + "  sysctl -qw net.ipv6.conf.all.forwarding=1\n  [ $BATON_NUMBER = 2 ] || " + carries + "  [ $BATON_NUMBER = 2 ] || " + carries6 + told,
			exitPass, " answers through the IPv4 VIP, "},
		{"half", "families: [IPv4, IPv6]\n" + translates + "  [ $BATON_NUMBER = 2 ] || " + carries + told,
			exitFail, ", 0 answers through the IPv6 VIP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // each pair waits in namespaces of its own
			r := checkSubject(t, func() string { return adapter(t, c.name, c.lines) })
			if r.code != c.code || !strings.Contains(r.out, c.says) {
				t.Errorf("%s: exit code %d, want %d with %q\n%s%s", c.name, r.code, c.code, c.says, r.out, r.errout)
			}
			if !strings.Contains(r.out, "log-lb1.txt (") {
				t.Errorf("%s: no log is named\n%s", c.name, r.out)
			}
			if strings.Contains(r.out, "killed by SIGTERM") {
				t.Errorf("%s: the command that was stopped with its node is told\n%s", c.name, r.out)
			}
		})
	}
}

// TestARoleThatMovesByItself: it is a failure, except after a stall of the host. A stall of a traffic
// generator is no such excuse.
func TestARoleThatMovesByItself(t *testing.T) {
	master := trace.Event{Node: "lb2", Kind: trace.KindRole, Role: &trace.Role{From: "Backup", To: "Master"}}
	waited := trace.Event{Kind: trace.KindStep, Step: &trace.Step{Index: 0, Phase: "end"}}
	at := func(ms int, e trace.Event) trace.Event {
		e.At = clock.Instant(0).Add(time.Duration(ms) * time.Millisecond)
		return e
	}
	stall := func(took time.Duration, line string) trace.Event {
		return trace.Event{Kind: trace.KindStall, Stall: &trace.Stall{Took: trace.Dur(took), Line: line}}
	}
	long := stall(101*time.Millisecond, "")
	for _, c := range []struct {
		name   string
		events []trace.Event
		state  string
	}{
		{"the first MASTER", []trace.Event{master, waited}, "ok"},
		{"it moves", []trace.Event{master, waited, master}, "FAIL"},
		{"after a fault", []trace.Event{master, waited, {Kind: trace.KindFault, Fault: &trace.Fault{}}, master}, "ok"},
		{"after a stall", []trace.Event{master, waited, long, master}, "?"},
		{"after a stall in the wait", []trace.Event{long, master, waited, master}, "?"},
		{"after a short stall", []trace.Event{master, waited, stall(100*time.Millisecond, ""), master}, "FAIL"},
		{"after a stall of a generator", []trace.Event{master, waited, stall(time.Second, "IPv4"), master}, "FAIL"},
		{"before a stall, and again after it", []trace.Event{master, waited, master, long, master}, "FAIL"},
		{"soon after a stall", []trace.Event{at(0, master), at(100, waited), at(1000, long), at(2201, master)}, "?"},
		{"long after a stall", []trace.Event{at(0, master), at(100, waited), at(1000, long), at(2202, master)}, "FAIL"},
		{"long after a longer stall", []trace.Event{at(0, master), at(100, waited), at(1000, stall(time.Second, "")), at(3999, master)}, "?"},
		{"back after a takeover that a stall caused", []trace.Event{at(0, master), at(100, waited), at(1000, long), at(1500, master), at(9000, master)}, "?"},
	} {
		p := roles(check.Verdict{}, c.events, []string{"lb1 is Master"}, "nobody")
		if state := map[bool]string{true: "?", false: map[bool]string{true: "ok", false: "FAIL"}[p.ok]}[p.unsure]; state != c.state {
			t.Errorf("%s: %s %s, want %s", c.name, state, p.found, c.state)
		}
	}
}

// TestMastersInTurnAreNotTwoMasters: after a handover the second one reads as the next.
func TestMastersInTurnAreNotTwoMasters(t *testing.T) {
	keepalived, err := subject.Named("keepalived")
	if err != nil {
		t.Fatal(err)
	}
	master := func(node string) trace.Event {
		return trace.Event{Node: node, Kind: trace.KindRole, Role: &trace.Role{From: "Backup", To: "Master", Reason: "wire"}}
	}
	handover := trace.Event{Kind: trace.KindFault, Fault: &trace.Fault{Verb: "handover", Phase: "begin"}}
	for _, p := range parts(keepalived, []trace.Event{master("lb1"), handover, master("lb2")}, check.Verdict{}) {
		if want := "lb1 is Master (wire); then lb2 is Master (wire)"; p.name == "roles" && p.found != want {
			t.Errorf("%q, want %q", p.found, want)
		}
	}
}

// TestAVIPIsAnnouncedToTheClients: announcements to the backends or of another VIP do not count.
func TestAVIPIsAnnouncedToTheClients(t *testing.T) {
	garp := func(edge, vip string) trace.Event {
		return trace.Event{Kind: trace.KindGARP, GARP: &trace.GARP{Edge: edge, VIP: vip}}
	}
	both := []lab.Family{lab.IPv4, lab.IPv6}
	for _, c := range []struct {
		events []trace.Event
		want   string
	}{
		{[]trace.Event{garp(lab.Backends, "198.18.0.100"), garp(lab.Clients, "198.18.0.101")}, "198.18.0.100 2001:2::100"},
		{[]trace.Event{garp(lab.Clients, "198.18.0.100")}, "2001:2::100"},
		{[]trace.Event{garp(lab.Clients, "198.18.0.100"), garp(lab.Clients, "2001:2::100")}, ""},
	} {
		if got := strings.Join(unannounced(c.events, both), " "); got != c.want {
			t.Errorf("%v: %q, want %q", c.events, got, c.want)
		}
	}
}

// TestRequestsWithoutAnswersAreFollowed: up to the network of the backends, separately for each family.
func TestRequestsWithoutAnswersAreFollowed(t *testing.T) {
	totals := func(f lab.Family, received uint64) trace.Event {
		return trace.Event{Kind: trace.KindTotals, Totals: &trace.Totals{Name: f.String(), Final: true, Received: received}}
	}
	forwards := func(node, edge, vip string) trace.Event {
		return trace.Event{Node: node, Kind: trace.KindForwarder, Forwarder: &trace.Forwarder{Edge: edge, VIP: vip}}
	}
	const nobody, way = " (no request came to the backends, ", " sent requests on to the backends: "
	one, both := []lab.Family{lab.IPv4}, []lab.Family{lab.IPv4, lab.IPv6}
	for _, c := range []struct {
		name     string
		families []lab.Family
		events   []trace.Event
		ok       bool
		want     []string
	}{
		{"answered", one, []trace.Event{totals(lab.IPv4, 8)}, true, []string{"8 answers through the VIP"}},
		{"nothing was sent", one, nil, false, []string{"0 answers through the VIP"}},
		{"nobody forwards", one, []trace.Event{totals(lab.IPv4, 0), forwards("lb1", lab.Clients, "198.18.0.100")}, false, []string{"0 answers through the VIP" + nobody}},
		{"forwarded", one, []trace.Event{forwards("lb1", lab.Backends, "198.18.1.100"), totals(lab.IPv4, 0)}, false, []string{"0 answers through the VIP (lb1" + way}},
		{"forwarded with the client's address", one, []trace.Event{forwards("lb2", lab.Backends, ""), totals(lab.IPv4, 0)}, false, []string{"0 answers through the VIP (lb2" + way}},
		{"another family's requests", both, []trace.Event{forwards("lb1", lab.Backends, "198.18.1.100"), totals(lab.IPv4, 9), totals(lab.IPv6, 0)}, false,
			[]string{"9 answers through the IPv4 VIP, ", "0 answers through the IPv6 VIP" + nobody}},
	} {
		got := serves(c.families, c.events)
		rest := got.found
		for _, want := range c.want {
			_, after, has := strings.Cut(rest, want)
			if rest = after; !has {
				t.Errorf("%s: %q, want %q", c.name, got.found, c.want)
			}
		}
		if told := strings.Contains(got.found, "("); got.ok != c.ok || told != strings.Contains(strings.Join(c.want, ""), "(") {
			t.Errorf("%s: %t, %q", c.name, got.ok, got.found)
		}
	}
}

// checkSubject checks a subject.
func checkSubject(t *testing.T, subject func() string) ran {
	t.Helper()
	return proving(t, func() ran { return baton(t, "subject", "check", "--out", t.TempDir(), subject()) })
}

// excuses finds why a run proves nothing that has no fault of the program.
var excuses = regexp.MustCompile(`the host (had )?stood still|began more than \S+ late`)

// proving repeats a command whose run proves nothing because the host stood still: by its exit code,
// or by a part in doubt beside one that failed. If none proves anything, the test is skipped.
func proving(t *testing.T, command func() ran) ran {
	t.Helper()
	const attempts = 5
	for range attempts {
		r := command()
		if doubtful := r.code == exitInconclusive || strings.Contains("\n"+r.out, "\n?  "); !doubtful || !excuses.MatchString(r.out) {
			return r
		}
		t.Logf("the host stood still:\n%s", r.out)
	}
	t.Skipf("the host stood still in each of %d runs", attempts)
	return ran{}
}

// TestASubjectThatLacksAProgramIsNotTried: the message names the program and its line.
func TestASubjectThatLacksAProgramIsNotTried(t *testing.T) {
	if err := netns.Probe(); err != nil {
		t.Skipf("needs namespaces: %v", err)
	}
	for _, c := range []struct{ lines, at string }{
		{"needs: [sh, no-such-program]\nrun: exec sleep 60\n", ":2: "},
		{"run: exec no-such-program\nneeds:\n  - sh\n  - no-such-program\n", ":5: "},
	} {
		file := adapter(t, "lacks", c.lines)
		r := baton(t, "subject", "check", "--out", t.TempDir(), file)
		if want := file + c.at + "subject lacks needs programs that are not installed: no-such-program\n"; r.code != exitBadInput || !strings.HasSuffix(r.errout, want) {
			t.Errorf("exit code %d, %q, want …%s", r.code, r.errout, want)
		}
	}
}

// TestTheReferenceIsTried: the reference node passes the same checks as an adapter, in both
// families.
func TestTheReferenceIsTried(t *testing.T) {
	if err := netns.Probe(); err != nil {
		t.Skipf("needs namespaces: %v", err)
	}
	r := checkSubject(t, func() string { return "reference" })
	for _, want := range []string{" answers through the IPv6 VIP", "ok    handover ", "ok    reload "} {
		if r.code != exitPass || !strings.Contains(r.out, want) {
			t.Errorf("exit code %d, no %q\n%s%s", r.code, want, r.out, r.errout)
		}
	}
}
