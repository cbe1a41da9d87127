package subject_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/impl/needs"
	"baton/impl/trace"
	"baton/netns"
	"baton/netns/subject"
	"baton/netns/subject/tree"
	"baton/scenarios"
	"baton/scenarios/check"
	"baton/scenarios/plan"
)

// The test binary acts as the init of its nodes, as baton does.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "subject" {
		be := map[string]func(string) error{"node": tree.Run, "reset": tree.Reset}[os.Args[2]]
		if err := be(os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, "baton:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// execute runs a scenario's steps with an adapter, for real.
func execute(t *testing.T, adapter, always, steps string) (check.Verdict, []trace.Event) {
	t.Helper()
	verdict, events, _ := executeIn(t, adapter, always, steps)
	return verdict, events
}

// executeIn is execute with a folder for the results.
func executeIn(t *testing.T, adapter, always, steps string) (check.Verdict, []trace.Event, string) {
	t.Helper()
	return executeAt(t, "198.18.0.100:80", adapter, always, steps)
}

// executeAt is executeIn with another address of the service.
func executeAt(t *testing.T, service, adapter, always, steps string) (check.Verdict, []trace.Event, string) {
	t.Helper()
	if err := netns.Probe(); err != nil {
		t.Skipf("needs namespaces: %v", err)
	}
	a, err := subject.ParseAdapter("my.yaml", []byte("name: mine\n"+adapter))
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Parse("x.scn", []byte("scenario x\ntopo pair clients=1 backends=1\nservice web tcp "+service+" mode=fullnat\n"+
		"traffic web connects tcp rate=10/s\ntolerate stall 10s\nalways "+always+"\n"+steps))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	job := scenarios.Job{Plan: p, World: plan.Netns, SUT: a.Name(), Dir: dir, NewWorld: func(s scenarios.Stage) (scenarios.World, error) {
		return netns.NewWorld(s.Plan, netns.WorldConfig{Dir: s.Dir, Baton: os.Args[0], Subject: a, Recorder: s.Recorder, EvidenceLimit: s.EvidenceLimit}), nil
	}}
	verdict, err := job.Execute(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	events, err := scenarios.ReadTrace(dir)
	if err != nil {
		t.Fatal(err)
	}
	return verdict, events, dir
}

// messages joins a run's texts: the verdict's reasons, and the trace's notes and leaks.
func messages(v check.Verdict, events []trace.Event) string {
	lines := slices.Clone(v.Reasons)
	for _, e := range events {
		switch {
		case e.Fault != nil && e.Fault.Phase != "begin":
			lines = append(lines, "receipt: "+e.Fault.Receipt)
		case e.Leak != nil:
			lines = append(lines, "leak: "+e.Leak.What)
		case e.Note != "":
			lines = append(lines, "note: "+e.Note)
		}
	}
	return strings.Join(lines, "\n")
}

// runLimit is longer than any of these runs, and shorter than what hangs in them: sleep 60.
const runLimit = 55 * time.Second

// skipIfStalled skips a test whose run proves nothing because the host stood still.
func skipIfStalled(t *testing.T, v check.Verdict, events []trace.Event) {
	t.Helper()
	var stood time.Duration
	for _, e := range events {
		if e.Stall != nil {
			stood += time.Duration(e.Stall.Took)
		}
	}
	if v.Verdict == check.Inconclusive && stood > 0 {
		t.Skipf("the host stood still for %v: %s", stood, messages(v, events))
	}
}

// TestBadAdapters: each leads to a clear message and a verdict, in bounded time.
func TestBadAdapters(t *testing.T) {
	waits := "@0s wait lb1 is Master within 1s\n@1s end\n"
	stops := "@0s wait lb1 is not Master within 1s\n@200ms stop lb2\n@500ms end\n"
	hands := "@0s wait lb1 is not Master within 1s\n@200ms handover lb1\n@1s end\n"
	for _, c := range []struct {
		name, adapter, steps, want string
		verdict                    check.Outcome
	}{
		{"a command that is not there", "start: no-such-program", waits, "before that: sh: 1: no-such-program: not found", check.Fail},
		{"a start that hangs", "start: sleep 60\ntimeout: 300ms", waits, "start did not return within 300ms: `sleep 60`", check.Fail},
		{"a start that has not returned when the wait ends", "start: sleep 60", strings.ReplaceAll(waits, "1s", "2s"), "lb1 says: start has not returned yet: `sleep 60`", check.Fail},
		{"a start that leaves nothing", "start: 'true'", waits, "start has left no process running: `true`", check.Fail},
		{"a daemon that dies", "start: sleep 0.3 & disown 2>/dev/null || true", waits, "the last process that start had left has ended", check.Fail},
		{"a node that dies", "run: sleep 0.3; exit 3", waits, "run ended with exit status 3: `sleep 0.3; exit 3`", check.Fail},
		{"never MASTER", "run: exec sleep 60", waits, "wait lb1 is Master within 1s: not true after", check.Fail},
		{"roles that are garbage", "run: exec sleep 60\nroles: poll\nrole: echo Häuptling", waits, "role printed \"Häuptling\": none of MASTER, BACKUP, FAULT, INIT", check.Fail},
		{"a role command that hangs", "run: exec sleep 60\nroles: poll\nrole: sleep 60\ntimeout: 200ms", waits, "role did not return within 200ms", check.Fail},
		{"a trace that is garbage", "run: echo gibberish >&3; exec sleep 60\nroles: trace", waits, "invalid trace line", check.Fail},
		{"a trace of other events than its own", `run: "echo '{\"t\":1,\"kind\":\"fault\"}' >&3; exec sleep 60"` + "\nroles: trace", waits, `a node may not write events of kind "fault"`, check.Fail},
		{"a trace of another node", `run: "echo '{\"t\":1,\"kind\":\"role\",\"node\":\"lb9\",\"role\":{\"to\":\"Master\"}}' >&3; exec sleep 60"` + "\nroles: trace", waits, "a node may only write events about itself", check.Fail},
		{"a trace of a role that nobody has", `run: "echo '{\"kind\":\"role\",\"role\":{\"to\":\"MASTER\"}}' >&3; exec sleep 60"` + "\nroles: trace", waits, `role.to "MASTER": one of Init, Backup,`, check.Fail},
		{"a trace of a role without a role", `run: "echo '{\"kind\":\"role\"}' >&3; exec sleep 60"` + "\nroles: trace", waits, "has its fields in an object role", check.Fail},
		{"bytes for a role and a log", "run: |\n  head -c 1000000 /dev/urandom; exec sleep 60\nroles: poll\nrole: head -c 100000 /dev/urandom", waits, "none of MASTER, BACKUP, FAULT, INIT", check.Fail},
		{"bytes for a trace", "run: |\n  head -c 100000 /dev/urandom >&3; exec sleep 60\nroles: trace", waits, "invalid trace line", check.Fail},
		{"a crowd of processes", "run: |\n  i=0; while [ $i -lt 100 ]; do setsid sleep 60 & i=$((i+1)); done; exec sleep 60", strings.ReplaceAll(waits, "1s", "5s"), "not true after", check.Fail}, // starting them may make the host stall for a second
		{"a start that hangs beside a daemon", "start: |\n  setsid sleep 60 &\n  sleep 60\ntimeout: 300ms", waits, "start did not return within 300ms: `setsid sleep 60 & …`", check.Fail},
		{"a node that kills all that it sees", "run: kill -9 1; kill -9 -1; exec sleep 60\n", waits, "", check.Fail},
		{"a reset that hangs", "run: exec sleep 60\nreset: sleep 60\ntimeout: 200ms", "@0s wait lb1 is not Master within 1s\n@500ms end\n", "leak: lb1 could not be reset", check.Fail},
		{"two that both say MASTER", "run: exec sleep 60\nroles: poll\nrole: echo MASTER", "@0s wait lb1 is Master within 3s\n@300ms end\n", "masters: masters <= 1", check.Fail},
		{"a daemon that outlives stop", "start: setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' &", stops, "leak: sh (process", check.Fail},
		{"a stop that hangs", "run: exec sleep 60\nstop: sleep 60\ntimeout: 200ms", stops, "stop did not return within 200ms", check.Inconclusive},
		{"a stop that hangs for longer than faults take", "run: exec sleep 60\nstop: sleep 60\ntimeout: 6s", stops, "stop did not return within 6s", check.Inconclusive},
		{"a run that forks away", "run: setsid sleep 60 & sleep 0.1", waits, "it has left sleep (process", check.Fail},
		{"a daemon of start beside a run that ends", "start: setsid sleep 60 &\nrun: sleep 0.3; exit 2", waits, "run ended with exit status 2: `sleep 0.3; exit 2`; lb", check.Fail},
		{"a daemon that dies while its role is polled", "start: sleep 0.3 &\nroles: poll\nrole: echo BACKUP", waits, "the last process that start had left has ended", check.Fail},
		{"a handover that hangs", "run: exec sleep 60\nhandover: sleep 60\ntimeout: 200ms", hands, "lb1 refused: handover did not return within 200ms", check.Inconclusive},
		{"a handover that is refused", "run: exec sleep 60\nhandover: echo no; exit 1", hands, "lb1 refused: handover ended with exit status 1: `echo no; exit 1`: no", check.Inconclusive},
		{"a handover that prints", "run: exec sleep 60\nhandover: echo $BATON_NODE gave it", hands, "lb1: handover: lb1 gave it", check.Inconclusive},
		{"a reload", "run: exec sleep 60\nreload: 'true'", strings.ReplaceAll(hands, "handover", "reload"), "lb1: reload: done", check.Inconclusive},
		{"a reset that fails", "run: exec sleep 60\nreset: exit 7", "@0s wait lb1 is not Master within 1s\n@500ms end\n", "leak: lb2 could not be reset: exit status 1: baton: lb2: reset ended with exit status 7", check.Fail},
		{"a reset that fails after a crash", "run: exec sleep 60\nreset: exit 7", "@0s wait lb1 is not Master within 1s\n@200ms crash lb1\n@500ms end\n", "crash lb1: exit status 1", check.Fail},
		{"a kernel parameter of the machine", "run: sysctl -w vm.swappiness=61", waits, `permission denied on key "vm.swappiness"`, check.Fail},
		{"a folder that is not there", "run: exec sleep 60\nmounts: [/no/such/folder]", waits, "mounts: /no/such/folder", check.Fail},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			v, events := execute(t, c.adapter, "masters <= 1", c.steps)
			if took := time.Since(began); took > runLimit {
				t.Errorf("took %s", took)
			}
			told := messages(v, events)
			if v.Verdict != c.verdict || !strings.Contains(told, c.want) {
				t.Errorf("%s, want %s with %q:\n%s", v.Verdict, c.verdict, c.want, told)
			}
		})
	}
}

// TestAReasonSaysWhyARoleIsUnknown: the verdict alone shows the node's message.
func TestAReasonSaysWhyARoleIsUnknown(t *testing.T) {
	t.Parallel()
	for adapter, want := range map[string]string{
		"run: exec sleep 60\nroles: poll\nrole: echo nobody":              "lb1 is Init; lb1 says: role printed \"nobody\": none of MASTER, BACKUP, FAULT, INIT",
		"run: exec sleep 60\nroles: poll\nrole: sleep 60\ntimeout: 200ms": "lb1 is Init; lb1 says: role did not return within 200ms: `sleep 60`",
		"run: echo gibberish >&3; exec sleep 60\nroles: trace":            "lb1 says: invalid trace line",
	} {
		v, _ := execute(t, adapter, "masters <= 1", "@0s wait lb1 is Master within 1s\n@1s end\n")
		if reasons := strings.Join(v.Reasons, "\n"); !strings.Contains(reasons, want) {
			t.Errorf("%s\nwant %s", reasons, want)
		}
	}
}

// TestTwoThatBothAnnounceAreTwoMasters: the wire shows it for nodes that report no roles.
func TestTwoThatBothAnnounceAreTwoMasters(t *testing.T) {
	needs.Programs(t, "nft", "arping")
	adapter := `start: |
  sysctl -qw net.ipv4.ip_forward=1; nft -f $BATON_RULESET
  ip addr add $BATON_VIPS dev $BATON_CLIENT_DEV; ip addr add $BATON_BACKEND_VIP dev $BATON_BACKEND_DEV
run: |
  while :; do arping -qU -c 1 -W 0.02 -i $BATON_CLIENT_DEV -S ${BATON_VIPS%/*} ${BATON_VIPS%/*} || true; sleep 0.1; done
`
	v, _ := execute(t, adapter, "masters <= 1", "@0s wait lb1 is Master within 3s\n@1s end\n")
	if reasons := strings.Join(v.Reasons, "\n"); v.Verdict != check.Fail || !strings.Contains(reasons, "lb1 and lb2 Master from") {
		t.Errorf("%s:\n%s", v.Verdict, reasons)
	}
}

// TestNothingOfANodeIsLeft: a tree that double-forks, leaves its session and has a private
// folder is gone after a kill, and the host's folder is unchanged.
func TestNothingOfANodeIsLeft(t *testing.T) {
	t.Parallel()
	mark := fmt.Sprintf("/run/baton-test-%d", os.Getpid())
	adapter := "mounts: [/run]\nstart: |\n  echo x > " + mark + "\n  (setsid sh -c 'exec sleep 4242' &) &\n  (setsid sh -c '(setsid sleep 4242 &)' &)\n  sleep 0.1\n"
	v, events := execute(t, adapter, "masters <= 1", "@0s wait lb1 is Backup within 1s\n@200ms kill lb1\n@400ms freeze lb2\n@500ms end\n")
	if told := messages(v, events); strings.Contains(told, "leak") || strings.Contains(told, "ended by itself") {
		t.Error(told)
	}
	for _, c := range v.Checks {
		if c.Name == plan.CheckFaults && c.Verdict != check.Pass {
			t.Errorf("a fault of a tree has no receipt: %s", c.Detail)
		}
	}
	if _, err := os.Stat(mark); err == nil {
		t.Errorf("%s was written into the host's folder", mark)
	}
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, line := range lines {
		if text, err := os.ReadFile(line); err == nil && string(text) == "sleep\x004242\x00" {
			t.Errorf("%s is left", line)
		}
	}
}

// TestACrashClearsTheKernel: a crash clears all that a node has set in the kernel; a kill
// leaves it.
func TestACrashClearsTheKernel(t *testing.T) {
	needs.Programs(t, "ip", "tc", "nft", "sysctl")
	t.Parallel()
	// A node is BACKUP once its start has done all of it.
	adapter := `start: |
  rm -f done
  {
    sysctl -n net.ipv4.ip_forward net.ipv4.conf.client0.arp_ignore
    ip rule | grep -c 'lookup 77' || true
    tc qdisc show dev client0 | grep -c clsact || true
    ip link | grep -c macvlan || true
    nft list ruleset | grep -c mine || true
  } | tr '\n' ' ' >> seen
  echo >> seen
  sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.client0.arp_ignore=2
  ip rule add from 10.0.0.0/8 lookup 77 2>/dev/null || true
  tc qdisc add dev client0 clsact 2>/dev/null || true
  ip link add macvlan1 link client0 type macvlan 2>/dev/null || true
  nft add table ip mine
  setsid sleep 60 &
  touch done
roles: poll
role: if [ -e done ]; then echo BACKUP; else echo INIT; fi
`
	for verb, want := range map[string]string{"crash": "0 0 0 0 0 0", "kill": "1 2 1 1 1 1"} {
		verdict, _, dir := executeIn(t, adapter, "masters <= 1", "@0s wait lb1 is Backup within 20s\n@200ms "+verb+" lb1\n@500ms restore lb1\n@1s wait lb1 is Backup within 20s\n@1200ms end\n")
		seen, err := os.ReadFile(filepath.Join(dir, "lb1", "seen"))
		if err != nil {
			t.Fatal(err)
		}
		var lives []string
		for line := range strings.Lines(string(seen)) {
			lives = append(lives, strings.TrimSpace(line))
		}
		if fresh := "0 0 0 0 0 0"; len(lives) != 2 || lives[0] != fresh || lives[1] != want {
			t.Errorf("%s: the first process found %q, the second %q, want %q and %q; %s: %s", verb, lives[0], lives[1:], fresh, want, verdict.Verdict, verdict.Reasons)
		}
	}
}

// TestRolesThatContradictTheWire: the role that a node reports is compared with who
// forwards.
func TestRolesThatContradictTheWire(t *testing.T) {
	needs.Programs(t, "nft")
	adapter := `start: |
  sysctl -qw net.ipv4.ip_forward=1
  nft -f $BATON_RULESET
  [ $BATON_NUMBER = 2 ] || { ip addr add $BATON_VIPS dev $BATON_CLIENT_DEV; ip addr add $BATON_BACKEND_VIP dev $BATON_BACKEND_DEV; }
run: exec sleep 60
roles: poll
`
	for _, c := range []struct {
		name, role, want string
		verdict          check.Outcome
	}{
		{"the carrier says Backup", "echo BACKUP", "but has not reported that it is Master", check.Fail},
		{"another says Master", "[ $BATON_NUMBER = 1 ] && echo BACKUP || echo MASTER", "lb1 carries the packets of", check.Fail},
		{"the carrier says Master", "[ $BATON_NUMBER = 2 ] && echo BACKUP || echo MASTER", "", check.Pass},
	} {
		v, events := execute(t, adapter+"role: |\n  "+c.role+"\n", "forwarders <= 1", "@0s wait lb2 is not Fault within 1s\n@1s end\n")
		skipIfStalled(t, v, events)
		if told := messages(v, events); v.Verdict != c.verdict || !strings.Contains(told, c.want) {
			t.Errorf("%s: %s, want %s with %q:\n%s", c.name, v.Verdict, c.verdict, c.want, told)
		}
	}
}

// TestLogsAreKept: logs in a private folder outlive a kill.
func TestLogsAreKept(t *testing.T) {
	t.Parallel()
	adapter := "mounts: [/run]\nlogs: [/var/log, /run/mine]\nrun: |\n  echo one > /var/log/a; echo two > /run/mine/b\n  exec sleep 60\n"
	_, _, dir := executeIn(t, adapter, "masters <= 1", "@0s wait lb1 is not Master within 1s\n@200ms kill lb1\n@300ms end\n")
	for file, want := range map[string]string{"log/a": "one\n", "mine/b": "two\n"} {
		if got, err := os.ReadFile(filepath.Join(dir, "lb1", file)); string(got) != want {
			t.Errorf("%s: %q, %v", file, got, err)
		}
	}
	for _, host := range []string{"/var/log/a", "/run/mine"} {
		if _, err := os.Stat(host); err == nil {
			t.Errorf("%s is on the machine", host)
		}
	}
}

// TestAPairOfIPv6IsJudged: its commands have all they need, and its roles are read from
// neighbour advertisements.
func TestAPairOfIPv6IsJudged(t *testing.T) {
	adapter := `families: [IPv6]
run: |
  sysctl -qw net.ipv6.conf.all.forwarding=1
  for dev in $BATON_CLIENT_DEV $BATON_BACKEND_DEV; do sysctl -qw net.ipv6.conf.$dev.ndisc_notify=1; done
  nft -f $BATON_RULESET
  [ $BATON_NUMBER = 1 ] || sleep 2
  ip addr add $BATON_BACKEND_VIP6 dev $BATON_BACKEND_DEV; ip addr add $BATON_VIPS6 dev $BATON_CLIENT_DEV
  exec sleep 60
`
	v, events, _ := executeAt(t, "[2001:2::100]:80", adapter, "masters <= 1",
		"@0s wait lb1 is Master and lb2 is Backup within 1500ms\n@300ms crash lb1\nexpect lb2 is Master within 8s\n@9s expect connects_failed == 0\n@10s end\n")
	skipIfStalled(t, v, events)
	if v.Verdict != check.Pass {
		t.Errorf("%s: %s", v.Verdict, messages(v, events))
	}
	var masters []string
	for _, e := range events {
		if e.Role != nil && e.Role.To == "Master" {
			masters = append(masters, e.Node+": "+e.Role.Reason)
		}
	}
	if want := []string{"lb1: wire: it announces 2001:2::100 by NDP", "lb2: wire: it announces 2001:2::100 by NDP"}; !slices.Equal(masters, want) {
		t.Errorf("MASTERs %q, want %q", masters, want)
	}
}
