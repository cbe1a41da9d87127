package subject

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"baton/scenarios"
	"baton/scenarios/capability"
	"baton/scenarios/plan"
)

// readPlan is a plan with a config line.
func readPlan(t *testing.T, config string) *plan.Plan {
	t.Helper()
	if config != "" {
		config = "config " + config + "\n"
	}
	p, err := plan.Parse("x.scn", []byte("scenario x\ntopo pair clients=1 backends=2\n"+config+
		"service web tcp 198.18.0.100:80 mode=dnat\ntraffic web sessions tcp count=1\n@0s wait lb1 is Master within 1s\n@1s end\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestMistakesInAnAdapterFile: each is reported with its correction.
func TestMistakesInAnAdapterFile(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "1: name: is missing"},
		{"no command", "name: x", "1: run: both run and start are missing"},
		{"a misspelt key", "name: x\nstrat: true\nrun: true", `2: strat is not a key; did you mean "start"?`},
		{"an unknown key", "name: x\nrun: true\ncolour: red", "3: colour is not a key; the keys are name, doc, roles"},
		{"a word where a list belongs", "name: x\nrun: true\nmounts: /run", "3: mounts: not a list; write the values in brackets"},
		{"a time without a unit", "name: x\nrun: true\ntimeout: soon", "3: timeout: not a duration; write for example 10s"},
		{"a number for a time", "name: x\nrun: true\ntimeout: 10", "3: timeout: not a duration; write for example 10s"},
		{"a list where keys belong", "name: x\nrun: true\nenv: [a]", "3: env: not keys and values; write them as {NAME: value}"},
		{"a list as a command", "name: x\nrun: [sleep, 9]", "2: run: not a text, but a list or keys and values"},
		{"a list as the value of a variable", "name: x\nrun: true\nenv:\n  A: [1]", "4: env: not a text, but a list or keys and values"},
		{"options without lists", "name: x\nrun: true\noptions: [a]", "3: options: not keys and lists; write them as {name: [a, b]}"},
		{"a second document", "name: x\nrun: true\n---\nname: y\nrun: true", "3: a second document begins; an adapter is one"},
		{"a list", "- name: x", "1: an adapter is keys and values"},
		{"no YAML", "name: [", "2: not YAML: "},
		{"no YAML in a second document", "name: x\nrun: true\n---\n[", "5: not YAML: "},
		{"the reference's name", "name: reference\nrun: exec sleep 9", `1: name: "reference" is baton's own node`},
		{"a path for a name", "name: ../x\nrun: exec sleep 9", `1: name: "../x": letters, digits, - _ and . only, as x`},
		{"the folder above for a name", "name: ..\nrun: exec sleep 9", `1: name: "..": letters, digits, - _ and . only, as mine`},
		{"markup for a name", "name: <b>\nrun: exec sleep 9", `1: name: "<b>": letters, digits, - _ and . only, as b`},
		{"a flag for a name", "name: --out\nrun: exec sleep 9", `1: name: "--out": letters, digits, - _ and . only, as out`},
		{"two words for a name", "run: exec sleep 9\nname: our pair", `2: name: "our pair": letters, digits, - _ and . only, as our-pair`},
		{"an unknown way to tell roles", "name: x\nrun: exec sleep 9\nroles: guess", `3: roles: "guess": one of wire, poll, trace`},
		{"poll without a command", "name: x\nrun: exec sleep 9\nroles: poll", "3: roles: poll needs role: a command"},
		{"a command that nobody asks", "name: x\nrun: exec sleep 9\nrole: echo MASTER", "3: role: is only used with roles: poll"},
		{"an unknown capability", "name: x\nrun: exec sleep 9\nroles: trace\nprovides: [magic]", `4: provides: "magic": the capabilities are roles, gates`},
		{"a capability without a trace", "name: x\nrun: exec sleep 9\nprovides: [gates]", "3: provides: gates: needs roles: trace"},
		{"no time at all", "name: x\nrun: exec sleep 9\ntimeout: -1s", "3: timeout: -1s"},
		{"handover without its command", "name: x\nrun: exec sleep 9\nroles: trace\nprovides: [handover]", "4: provides: handover: follows from the command handover"},
		{"an unknown service", "name: x\nrun: exec sleep 9\nforwards: [dsr]", `3: forwards: "dsr": one of dsr-l2, dsr-ipip, outer, ranges`},
		{"an unknown family", "name: x\nrun: exec sleep 9\nfamilies: [ip6]", `3: families: "ip6": one of IPv4, IPv6`},
		{"a relative folder of logs", "name: x\nrun: exec sleep 9\nlogs: [log]", `3: logs: "log": not an absolute path`},
		{"a relative mount", "name: x\nrun: exec sleep 9\nmounts: [run]", `3: mounts: "run": not an absolute path`},
		{"a mount over the programs", "name: x\nrun: exec sleep 9\nmounts: [/usr/]", "3: mounts: /usr/: every node needs what is in it"},
		{"two folders of logs with one name", "name: x\nrun: exec sleep 9\nlogs: [/var/a/log, /var/b/log]", "3: logs: /var/a/log and /var/b/log would be kept in one folder"},
		{"a program without a name", "name: x\nrun: exec sleep 9\nneeds: [\"\"]", "3: needs: a program without a name"},
		{"a variable's name with a sign", "name: x\nrun: exec sleep 9\nenv: {A=B: c}", `3: env: "A=B": not the name of a variable`},
		{"a variable of baton", "name: x\nrun: exec sleep 9\nenv: {BATON_NODE: c}", "3: env: BATON_NODE: baton sets the variables that begin with BATON_"},
		{"an option's name with a space", "name: x\nrun: exec sleep 9\noptions: {a b: [c]}", `3: options: "a b": small letters, digits and _ only`},
		{"an option without values", "name: x\nrun: exec sleep 9\noptions: {a: []}", "3: options: a: list its values"},
		{"two mistakes", "name: x y\nlogs: [log]\nrun: exec sleep 9\ntimeout: 2m", "2: logs: \"log\": not an absolute path\nmy.yaml:4: timeout: 2m"},
	} {
		_, err := ParseAdapter("my.yaml", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), "my.yaml:"+c.want) {
			t.Errorf("%s: %v, want my.yaml:%s…", c.name, err, c.want)
		}
	}
}

// TestAnAdapterBalancesItsFamilies: a plan with a service of another family is skipped.
func TestAnAdapterBalancesItsFamilies(t *testing.T) {
	a, err := ParseAdapter("my.yaml", []byte("name: x\nrun: exec sleep 9"))
	if err != nil {
		t.Fatal(err)
	}
	p := readPlan(t, "")
	six := p.Services[0]
	six.Name, six.VIP = "six", "2001:2::100"
	p.Services = append(p.Services, six)
	if _, err := a.Open(Lab{Plan: p, Dir: t.TempDir()}); !errors.Is(err, scenarios.ErrUnsupported) || !strings.Contains(err.Error(), "service six is IPv6") {
		t.Errorf("opened for an IPv6 service: %v", err)
	}
	p.Services[len(p.Services)-1].Guard = plan.Sim
	if _, err := a.Open(Lab{Plan: p, Dir: t.TempDir()}); err != nil {
		t.Errorf("the service is not in this world: %v", err)
	}
	for families, want := range map[string]string{"[IPv4, IPv6]": "", "[IPv6]": "service web is IPv4"} {
		a, err := ParseAdapter("my.yaml", []byte("name: x\nrun: exec sleep 9\nfamilies: "+families))
		if err != nil {
			t.Fatal(err)
		}
		p.Services[len(p.Services)-1].Guard = ""
		if _, err := a.Open(Lab{Plan: p, Dir: t.TempDir()}); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("families %s: %v, want %q", families, err, want)
		}
	}
}

// TestAnAdapterForwardsWhatItSays: a plan with a service of a kind that it does not list is skipped.
func TestAnAdapterForwardsWhatItSays(t *testing.T) {
	direct := func(s *plan.Service) { s.Mode = plan.ModeDSRL2 }
	tunnel := func(s *plan.Service) { s.Mode = plan.ModeDSRIPIP }
	across := func(s *plan.Service) { s.Mode, s.Outer = plan.ModeDSRIPIP, "ipv6" }
	ranged := func(s *plan.Service) { s.Last = s.Port + 9 }
	for _, c := range []struct {
		forwards string
		edit     func(*plan.Service)
		want     string
	}{
		{"[]", direct, "service web has the mode dsr-l2, which it does not forward"},
		{"[ranges]", direct, "service web has the mode dsr-l2, which it does not forward"},
		{"[dsr-l2]", direct, ""},
		{"[dsr-l2]", tunnel, "service web has the mode dsr-ipip, which it does not forward"},
		{"[dsr-ipip]", tunnel, ""},
		{"[dsr-ipip]", across, "service web has backends of the other family, which it does not forward"},
		{"[dsr-ipip, outer]", across, ""},
		{"[dsr-l2]", ranged, "service web has a range of ports, which it does not forward"},
		{"[dsr-l2, ranges]", ranged, ""},
	} {
		a, err := ParseAdapter("my.yaml", []byte("name: x\nrun: exec sleep 9\nforwards: "+c.forwards))
		if err != nil {
			t.Fatal(err)
		}
		p := readPlan(t, "")
		c.edit(&p.Services[0])
		_, err = a.Open(Lab{Plan: p, Dir: t.TempDir()})
		if errors.Is(err, scenarios.ErrUnsupported) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("forwards %s: %v, want %q", c.forwards, err, c.want)
		}
	}
}

// TestWhatAnAdapterProvides follows from how its roles are reported.
func TestWhatAnAdapterProvides(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"name: x\nrun: exec sleep 9", ""},
		{"name: x\nrun: exec sleep 9\nroles: poll\nrole: echo MASTER", "roles"},
		{"name: x\nrun: exec sleep 9\nroles: trace\nprovides: [gates, roles]", "roles gates"},
		{"name: x\nrun: exec sleep 9\nhandover: 'true'\nreload: 'true'", "handover reload"},
	} {
		a, err := ParseAdapter("my.yaml", []byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(a.Provides(), " "); got != c.want {
			t.Errorf("%q provides %q, want %q", c.text, got, c.want)
		}
		if len(Lacks(a))+len(a.Provides()) != len(capability.Names()) {
			t.Errorf("%q lacks %q", c.text, Lacks(a))
		}
	}
}

// TestEverySubjectOfANameCanBeRead: Named reads each subject that Names lists, and nothing else.
func TestEverySubjectOfANameCanBeRead(t *testing.T) {
	for _, name := range Names() {
		s, err := Named(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if s.Name() != name {
			t.Errorf("%s calls itself %s", name, s.Name())
		}
	}
	if _, err := Named("keepalive"); err == nil || !strings.Contains(err.Error(), "keepalived") {
		t.Errorf("an unknown subject: %v", err)
	}
	if _, err := Named("./none.yaml"); err == nil {
		t.Error("a file that is not there was read")
	}
}

// TestAVariantOfASubject: a variant has another default of an option and its own name; a
// scenario's value of the option takes precedence.
func TestAVariantOfASubject(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a:b.yaml")
	if err := os.WriteFile(file, []byte("name: x\nrun: exec sleep 9\noptions: {speed: [slow, fast], mac: [real]}"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, setting, title, speed string }{
		{file, "", "x", "slow"},
		{file + ":speed=fast", "", "x:speed=fast", "fast"},
		{file + ":mac=real:speed=fast", "", "x:mac=real:speed=fast", "fast"},
		{file + ":speed=fast", "subject.speed=slow", "x:speed=fast", "slow"},
	} {
		s, err := Named(c.name)
		if err != nil {
			t.Fatal(err)
		}
		p := readPlan(t, "")
		if c.setting != "" {
			if err := p.Set(c.setting); err != nil {
				t.Fatal(err)
			}
		}
		chosen, err := s.(*Adapter).optionValues(p)
		if err != nil || s.Name() != c.title || chosen["speed"] != c.speed || chosen["mac"] != "real" {
			t.Errorf("%s: %s with %v, %v; want %s with speed=%s", c.name, s.Name(), chosen, err, c.title, c.speed)
		}
	}
	if again, err := Named(file); err != nil || again.Name() != "x" {
		t.Errorf("a variant has changed its subject: %v, %v", again, err)
	}
}

// TestCommandsAreToldOfTheLab: every documented variable is set, and no other.
func TestCommandsAreToldOfTheLab(t *testing.T) {
	p := readPlan(t, "subject.name=b")
	six := p.Services[0]
	six.Name, six.VIP = "six", "2001:2::100"
	p.Services = append(p.Services, six)
	devices := map[string]string{"clients": "client0", "backends": "backend0", "sync": "sync0"}
	env := environment(Lab{Plan: p, Devices: devices}, "lb2", "/out/lb2", map[string]string{"name": "b"})
	got := map[string]string{}
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		got[name] = value
	}
	for name, want := range map[string]string{
		"BATON_NODE": "lb2", "BATON_PEER": "lb1", "BATON_NUMBER": "2", "BATON_DIR": "/out/lb2", "BATON_VIPS": "198.18.0.100/24",
		"BATON_CLIENT_DEV": "client0", "BATON_CLIENT_IP": "198.18.0.2", "BATON_CLIENT_PEER": "198.18.0.1",
		"BATON_BACKEND_DEV": "backend0", "BATON_BACKEND_IP": "198.18.1.2", "BATON_BACKEND_PEER": "198.18.1.1",
		"BATON_SYNC_DEV": "sync0", "BATON_SYNC_IP": "198.18.2.2", "BATON_SYNC_PEER": "198.18.2.1",
		"BATON_BACKEND_VIP": "198.18.1.100/24", "BATON_SERVICES": "web tcp 198.18.0.100 80 dnat\nsix tcp 2001:2::100 80 dnat", "BATON_BACKENDS": "198.18.1.11 198.18.1.12",
		"BATON_DETECT_MS": "150", "BATON_PRIORITY": "100", "BATON_OPTION_NAME": "b",
		"BATON_VIPS6": "2001:2::100/64", "BATON_BACKEND_VIP6": "2001:2:0:1::100/64", "BATON_BACKENDS6": "2001:2:0:1::11 2001:2:0:1::12",
		"BATON_CLIENT_IP6": "2001:2::2", "BATON_CLIENT_PEER6": "2001:2::1", "BATON_BACKEND_IP6": "2001:2:0:1::2", "BATON_BACKEND_PEER6": "2001:2:0:1::1",
		"BATON_SYNC_IP6": "2001:2:0:2::2", "BATON_SYNC_PEER6": "2001:2:0:2::1",
	} {
		if got[name] != want {
			t.Errorf("%s=%q, want %q", name, got[name], want)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("%s is set; list it in Variables and here", name)
	}
	p.Services = p.Services[:1]
	for _, v := range environment(Lab{Plan: p, Devices: devices}, "lb2", "/out/lb2", nil) {
		if name, value, _ := strings.Cut(v, "="); strings.HasSuffix(name, "6") && value != "" {
			t.Errorf("%s without a service of IPv6", v)
		}
	}
	text, err := os.ReadFile("../../docs/subjects.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range Variables {
		if !strings.Contains(string(text), "| `"+v.Name+"` |") {
			t.Errorf("docs/subjects.md does not list %s", v.Name)
		}
	}
}

// TestAnAdapterKnowsWhereItLies, so that its commands find files beside it.
func TestAnAdapterKnowsWhereItLies(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "my.yaml"), []byte("name: x\nrun: exec sleep 9"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	a, err := ReadAdapter("my.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if _, err := a.Open(Lab{Plan: readPlan(t, ""), Dir: out}); err != nil {
		t.Fatal(err)
	}
	launch, err := os.ReadFile(filepath.Join(out, "lb1", "launch.json"))
	if err != nil || !strings.Contains(string(launch), `"BATON_ADAPTER_DIR=`+dir+`"`) {
		t.Errorf("%v\n%s", err, launch)
	}
}

// TestOptionsOfASubject: only the adapter's options with their listed values are accepted.
func TestOptionsOfASubject(t *testing.T) {
	a, err := ParseAdapter("my.yaml", []byte("name: x\nrun: exec sleep 9\noptions: {speed: [slow, fast]}"))
	if err != nil {
		t.Fatal(err)
	}
	for setting, want := range map[string]string{"": "slow", "subject.speed=fast": "fast", "subject.speed=fats": "one of slow, fast", "subject.sped=fast": "no option sped"} {
		p := readPlan(t, "")
		if setting != "" {
			if err := p.Set(setting); err != nil {
				t.Fatal(err)
			}
		}
		chosen, err := a.optionValues(p)
		if err == nil && chosen["speed"] != want || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v, want %s", setting, chosen, err, want)
		}
	}
	missing, err := ParseAdapter("my.yaml", []byte("name: x\nrun: exec sleep 9\nneeds: [sh, no-such-program]"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := missing.Open(Lab{Dir: filepath.Join(t.TempDir())}); err == nil || !strings.Contains(err.Error(), "not installed: no-such-program") {
		t.Errorf("a program that is not there: %v", err)
	}
}

// TestFilesThatAreReady: every service is translated, and only fullnat services hide their
// clients.
func TestFilesThatAreReady(t *testing.T) {
	p, err := plan.Parse("x.scn", []byte("scenario x\ntopo pair clients=1 backends=2\nservice web tcp 198.18.0.100:80 mode=dnat\nservice dns udp 198.18.0.101:53 mode=fullnat\nservice six tcp [2001:2::100]:80 mode=fullnat\n"+
		"traffic web sessions tcp count=1 service=web\n@0s wait lb1 is Master within 1s\n@1s end\n"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	env, err := writeGenerated(Lab{Plan: p, Devices: map[string]string{"backends": "backend0", "sync": "sync0"}}, "lb2", dir)
	if err != nil {
		t.Fatal(err)
	}
	want := `flush ruleset
table ip baton {
  chain local { type filter hook input priority 0; }
  chain inward { type nat hook prerouting priority -100;
    ip daddr 198.18.0.100 tcp dport 80 dnat to numgen random mod 2 map { 0 : 198.18.1.11, 1 : 198.18.1.12 }
    ip daddr 198.18.0.101 udp dport 53 dnat to numgen random mod 2 map { 0 : 198.18.1.11, 1 : 198.18.1.12 }
  }
  chain outward { type nat hook postrouting priority 100;
    oifname backend0 udp dport 53 snat to 198.18.1.100
  }
}
table ip6 baton {
  chain local { type filter hook input priority 0; }
  chain inward { type nat hook prerouting priority -100;
    ip6 daddr 2001:2::100 tcp dport 80 dnat to numgen random mod 2 map { 0 : 2001:2:0:1::11, 1 : 2001:2:0:1::12 }
  }
  chain outward { type nat hook postrouting priority 100;
    oifname backend0 tcp dport 80 snat to 2001:2:0:1::100
  }
}
`
	ruleset, err := os.ReadFile(filepath.Join(dir, "ruleset.nft"))
	if err != nil || string(ruleset) != want {
		t.Errorf("%v, got\n%s", err, ruleset)
	}
	sync, err := os.ReadFile(filepath.Join(dir, "conntrackd.conf"))
	if err != nil || !strings.Contains(string(sync), "IPv4_address 198.18.2.2\n    IPv4_Destination_Address 198.18.2.1\n") {
		t.Errorf("%v, got\n%s", err, sync)
	}
	for i, f := range generated {
		if env[i] != f.variable+"="+filepath.Join(dir, f.name) {
			t.Errorf("%s", env[i])
		}
	}
}

// TestScenariosOfSubjects: each shipped one can be read, and its subject has the options
// that it sets and balances the families of its services.
func TestScenariosOfSubjects(t *testing.T) {
	seen := 0
	for _, pattern := range []string{"../../scenarios/subjects/*.scn", "../../docs/examples/*.scn"} {
		files, _ := filepath.Glob(pattern) // the only error is a bad pattern
		for _, file := range files {
			seen++
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			plans, found := plan.Expand(file, text, os.ReadFile)
			if wrong := found.Errors(true); len(wrong) > 0 {
				t.Error(wrong)
				continue
			}
			p := plans[0]
			s, err := Named(p.Value(plan.Netns, "", plan.KeySubject))
			if err != nil {
				t.Errorf("%s: %v", file, err)
			}
			if a, ok := s.(*Adapter); ok {
				if _, err := a.optionValues(p); err != nil {
					t.Errorf("%s: %v", file, err)
				}
				for _, service := range p.Services {
					if !a.Balances(service.Family()) {
						t.Errorf("%s: %s does not balance %s", file, a.Title, service.Family())
					}
				}
			}
		}
	}
	if seen < 8 {
		t.Errorf("%d scenarios seen; the test has lost its subject", seen)
	}
	page, err := os.ReadFile("../../docs/subjects.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"shell.yaml", "own/mine.yaml"} {
		file = "../../docs/examples/" + file
		if _, err := ReadAdapter(file); err != nil {
			t.Error(err)
		}
		if text, _ := os.ReadFile(file); !strings.Contains(string(page), "```yaml\n"+string(text)+"```") {
			t.Errorf("docs/subjects.md does not show %s as it is", file)
		}
	}
	if _, err := ReadAdapter("../../docs/examples/loxilb.yaml"); err != nil {
		t.Error(err)
	}
}

// TestEachKnownBugHasItsControl: the page lists every control, and a scenario of the same
// pair with the bug fixed.
func TestEachKnownBugHasItsControl(t *testing.T) {
	page, err := os.ReadFile("../../docs/subjects.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.HasPrefix(cells[1], " `control-") {
			continue
		}
		rows++
		for _, name := range []string{cells[1], cells[3]} {
			if _, err := os.Stat("../../scenarios/subjects/" + strings.Trim(name, " `") + ".scn"); err != nil {
				t.Error(err)
			}
		}
	}
	if files, _ := filepath.Glob("../../scenarios/subjects/control-*.scn"); rows != len(files) {
		t.Errorf("docs/subjects.md lists %d controls of %d", rows, len(files))
	}
}

// TestABuiltInSubjectHasNoPrivilege: its file, given by its path, is the same subject, and
// is short.
func TestABuiltInSubjectHasNoPrivilege(t *testing.T) {
	for _, name := range Names()[1:] {
		file := "builtin/" + name + ".yaml"
		own, err := ReadAdapter(file)
		if err != nil {
			t.Fatal(err)
		}
		named, err := Named(name)
		if err != nil {
			t.Fatal(err)
		}
		builtin := *named.(*Adapter)
		own.Folder, own.places, builtin.places = "", nil, nil // where it stands is the only difference
		if !reflect.DeepEqual(*own, builtin) {
			t.Errorf("%s is not %s", file, name)
		}
		text, err := Source(name)
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(string(text), "\n"); lines > 60 {
			t.Errorf("%s has %d lines", file, lines)
		}
	}
}

// TestTheLabAsJSON: it contains what no variable does.
func TestTheLabAsJSON(t *testing.T) {
	p, err := plan.Parse("x.scn", []byte("scenario x\ntopo pair clients=1 backends=1\nconfig ha.hold=300ms lb2.ha.priority=7\nservice web tcp 198.18.0.100:80 mode=dnat\ntraffic web sessions tcp count=1\n@0s wait lb1 is Master within 1s\n@1s end\n"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	variable, err := describe(Lab{Plan: p, Devices: map[string]string{"sync": "sync0"}}, "lb2", map[string]string{"a": "b"}).write(dir)
	if err != nil || variable != "BATON_JSON="+filepath.Join(dir, "lab.json") {
		t.Fatalf("%s, %v", variable, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "lab.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d description
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	want := port{Device: "sync0", IP: "198.18.2.2", Peer: "198.18.2.1", Prefix: "198.18.2.0/30"}
	if d.Links["sync"] != want || d.Settings["ha.hold"] != "300ms" || d.Settings["ha.priority"] != "7" || d.DetectMS != 150 || d.Options["a"] != "b" ||
		len(d.Hosts) != 4 || d.Hosts[3].Addresses["backends"] != "198.18.1.11" || d.Services[0] != (servicePort{Name: "web", Proto: "tcp", Family: "IPv4", VIP: "198.18.0.100", Port: 80, Mode: "dnat"}) {
		t.Errorf("%s", text)
	}
	if strings.Contains(string(text), `6":`) {
		t.Errorf("addresses of a family that no service has:\n%s", text)
	}
	six := p.Services[0]
	six.Name, six.VIP = "six", "2001:2::100"
	p.Services = append(p.Services, six)
	d = describe(Lab{Plan: p, Devices: map[string]string{"sync": "sync0"}}, "lb2", nil)
	want.IP6, want.Peer6, want.Prefix6 = "2001:2:0:2::2", "2001:2:0:2::1", "2001:2:0:2::/64"
	if d.Links["sync"] != want || d.BackendVIP6 != "2001:2:0:1::100" || d.Hosts[3].Addresses6["backends"] != "2001:2:0:1::11" || d.Services[1].Family != "IPv6" {
		t.Errorf("%+v", d)
	}
}
