package operations

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"baton/impl/needs"
)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var metric = regexp.MustCompile(`\bbaton_[a-z_]+`)

// A metric that an alert or the dashboard asks for is one that a node has.
func TestWhatIsAskedForIsMeasured(t *testing.T) {
	known := metric.FindAllString(read(t, "../metrics.md"), -1)
	for _, file := range []string{"alerts.yaml", "alerts.test.yaml", "dashboard.json"} {
		asked := metric.FindAllString(read(t, file), -1)
		if len(asked) < 5 {
			t.Errorf("%s asks for %d metrics: the test has lost its subject", file, len(asked))
		}
		for _, name := range asked {
			if !slices.Contains(known, name) && !slices.Contains(known, strings.TrimSuffix(name, "_bucket")) {
				t.Errorf("%s asks for %s, which docs/metrics.md does not have", file, name)
			}
		}
	}
}

func TestDashboardIsJSON(t *testing.T) {
	var dashboard struct{ Panels []json.RawMessage }
	if err := json.Unmarshal([]byte(read(t, "dashboard.json")), &dashboard); err != nil || len(dashboard.Panels) < 8 {
		t.Errorf("%d panels, %v", len(dashboard.Panels), err)
	}
}

// program runs a program of the host, or says that it is not there.
func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	needs.Programs(t, program)
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Each alert is a rule that Prometheus takes, and is raised by what it is for.
func TestAlerts(t *testing.T) {
	run(t, "promtool", "check", "rules", "alerts.yaml")
	run(t, "promtool", "test", "rules", "alerts.test.yaml")
}

// What an alert tells to read is there.
func TestRunbooks(t *testing.T) {
	links := regexp.MustCompile(`runbook: docs/([a-z-]+\.md)#([a-z0-9-]+)`).FindAllStringSubmatch(read(t, "alerts.yaml"), -1)
	if len(links) < 10 {
		t.Fatalf("%d runbooks: the test has lost its subject", len(links))
	}
	for _, link := range links {
		found := false
		for line := range strings.Lines(read(t, "../"+link[1])) {
			title := strings.TrimLeft(line, "#")
			found = found || title != line && strings.ReplaceAll(strings.ToLower(strings.TrimSpace(title)), " ", "-") == link[2]
		}
		if !found {
			t.Errorf("docs/%s has no heading #%s", link[1], link[2])
		}
	}
}

// Every setting of the unit is one that systemd knows, and what it starts is told by
// the arguments.
func TestUnit(t *testing.T) {
	text := Unit("/bin/true", "/srv/pair.yaml")
	if !strings.Contains(text, "\nExecStart=/bin/true node --config /srv/pair.yaml\n") {
		t.Errorf("the unit starts something else:\n%s", text)
	}
	file := t.TempDir() + "/baton.service"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(run(t, "systemd-analyze", "verify", "--man=no", file)) {
		if strings.Contains(line, "baton.service") {
			t.Error(line)
		}
	}
}

// TestUnitOfOddPaths: systemd finds the program, and reads the path of the configuration as it is.
func TestUnitOfOddPaths(t *testing.T) {
	dir := t.TempDir() + `/a b 100%h $x`
	if err := errors.Join(os.Mkdir(dir, 0o755), os.Symlink("/bin/true", dir+"/baton")); err != nil {
		t.Fatal(err)
	}
	text := Unit(dir+"/baton", `/srv/it's a "pair" \ 50% $HOME.yaml`)
	if !strings.Contains(text, ` node --config "/srv/it's a \"pair\" \\ 50%% $$HOME.yaml"`+"\n") {
		t.Errorf("the configuration is not quoted:\n%s", text)
	}
	file := t.TempDir() + "/baton.service"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(run(t, "systemd-analyze", "verify", "--man=no", file)) {
		if strings.Contains(line, "baton.service") {
			t.Error(line)
		}
	}
}

// The package has what it lists: make install brings it.
func TestInstallBringsWhatThePackageLists(t *testing.T) {
	top := t.TempDir()
	run(t, "make", "-C", "../..", "-s", "install", "DESTDIR="+top+"/out/install", "PREFIX=/usr")
	listed := regexp.MustCompile(`src: (out/install/[^,}]+)`).FindAllStringSubmatch(read(t, "nfpm.yaml"), -1)
	if len(listed) < 5 {
		t.Fatalf("%d sources: the test has lost its subject", len(listed))
	}
	for _, source := range listed {
		if _, err := os.Stat(top + "/" + source[1]); err != nil {
			t.Error(err)
		}
	}
	pages, err := filepath.Glob("../*.md")
	if err != nil || len(pages) < 20 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, page := range pages {
		if got := read(t, top+"/out/install/usr/share/doc/baton/"+filepath.Base(page)); got != read(t, page) {
			t.Errorf("%s is installed as another page", page)
		}
	}
}

// The unit, the image and the page grant the same capabilities.
func TestCapabilitiesAreTheSameEverywhere(t *testing.T) {
	granted := func(text, begin, prefix string) (all []string) {
		_, text, _ = strings.Cut(text, begin)
		text, _, _ = strings.Cut(text, "\n")
		for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == '\\' }) {
			all = append(all, strings.TrimPrefix(word, prefix))
		}
		slices.Sort(all)
		return all
	}
	unit := granted(read(t, "baton.service"), "CapabilityBoundingSet=", "CAP_")
	image := granted(read(t, "Containerfile"), "--cap-add ", "")
	if len(unit) < 4 || !slices.Equal(unit, image) {
		t.Errorf("the unit grants %v, the image %v", unit, image)
	}
}
