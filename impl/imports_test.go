// Package impl_test holds the architecture of the module to what the design
// says: which package may import which (imports_test.go), and what a pure package
// may not do (purity_test.go).
package impl_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "baton/"

// leaves may be imported by every package.
var leaves = []string{"impl/clock", "impl/trace", "impl/flow", "impl/sctp", "impl/fingerprint"}

// mayImport lists, for each package (or folder, with "/..."), the packages of
// this module that it may import besides the leaves, directly or not. The most
// specific row applies.
var mayImport = map[string][]string{
	"impl":                 {},
	"impl/clock":           {},
	"impl/clock/boottime":  {},
	"impl/flow":            {},
	"impl/sctp":            {},
	"impl/fingerprint/...": {},
	"impl/needs":           {},
	"impl/trace":           {},
	"impl/bfd":             {},
	"impl/ha":              {},
	"impl/ctsync":          {},
	"impl/arbiter":         {},
	"impl/catalog":         {},
	"impl/node":            {"impl/arbiter", "impl/catalog", "impl/bfd", "impl/ha", "impl/ctsync"},
	"impl/driver":          {"impl/node", "impl/arbiter", "impl/catalog", "impl/bfd", "impl/ha", "impl/ctsync"},
	"impl/dataplane":       {},
	"impl/health":          {},
	"impl/dataplane/...":   {"impl/dataplane/..."},
	"impl/daemon/...":      {"impl/..."},
	"impl/daemon/control":  {"impl/daemon/config", "impl/daemon/pki", "impl/health", "impl/node", "impl/arbiter", "impl/catalog", "impl/bfd", "impl/ha", "impl/ctsync", "impl/dataplane"},
	"impl/daemon/realtime": {},
	"bpf/...":              {"bpf/...", "impl/clock/boottime", "impl/dataplane/..."},
	"scenarios":            {"scenarios/capability", "scenarios/fault", "scenarios/metric", "scenarios/lab", "scenarios/plan", "scenarios/link", "scenarios/check", "scenarios/evidence", "scenarios/stored"},
	"scenarios/lab":        {},
	"scenarios/fault":      {"scenarios/capability", "scenarios/lab"},
	"scenarios/metric":     {"scenarios/capability", "scenarios/fault", "scenarios/lab"},
	"scenarios/capability": {},
	"scenarios/plan":       {"scenarios/capability", "scenarios/fault", "scenarios/metric", "scenarios/lab", "scenarios/link"},
	"scenarios/check":      {"scenarios/capability", "scenarios/fault", "scenarios/metric", "scenarios/lab", "scenarios/plan", "scenarios/link"},
	"scenarios/coverage":   {"scenarios/capability", "scenarios/fault", "scenarios/metric", "scenarios/lab", "scenarios/plan", "scenarios/link", "scenarios/check"},
	"scenarios/evidence":   {"scenarios/capability", "scenarios/fault", "scenarios/metric", "scenarios/lab", "scenarios/plan", "scenarios/link", "scenarios/check", "scenarios/stored"},
	"scenarios/link":       {},
	"scenarios/latency":    {},
	"scenarios/once":       {},
	"scenarios/stored":     {},
	"scenarios/summary":    {},
	"scenarios/origin":     {},
	"scenarios/suite":      {"..."},
	// The real world reaches a node as a process: it writes its configuration, speaks
	// to its control socket, and knows none of its insides but the types of a status.
	"netns/...": {"netns/...", "bpf/bpffs", "bpf/decap", "scenarios", "scenarios/...", "impl/daemon/config", "impl/daemon/control", "impl/daemon/pki", "impl/clock/boottime",
		"impl/daemon/realtime", "impl/dataplane", "impl/health", "impl/node", "impl/arbiter", "impl/catalog", "impl/bfd", "impl/ha", "impl/ctsync"},
	"sim/...": {"sim/...", "scenarios", "scenarios/...", "impl/driver", "impl/health", "impl/node", "impl/arbiter", "impl/catalog", "impl/bfd", "impl/ha", "impl/ctsync", "impl/dataplane",
		"impl/dataplane/..."},
	"reports/...": {"reports/...", "scenarios/coverage", "scenarios/capability", "scenarios/fault", "scenarios/metric", "scenarios/lab", "scenarios/check", "scenarios/evidence", "scenarios/plan", "scenarios/link", "scenarios/stored", "scenarios/summary"},
	"docs/...":    {"docs/..."},
	"cmd/baton":   {"..."},
}

func covers(pattern, pkg string) bool {
	if pattern == "..." {
		return true
	}
	if folder, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == folder || strings.HasPrefix(pkg, folder+"/")
	}
	return pkg == pattern
}

func rowFor(pkg string) (string, []string, bool) {
	best := ""
	for pattern := range mayImport {
		if covers(pattern, pkg) && len(pattern) > len(best) {
			best = pattern
		}
	}
	return best, mayImport[best], best != ""
}

func TestImportsFollowTheDesign(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}: {{join .Deps " "}}`, module+"...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		path, deps, ok := strings.Cut(strings.TrimSpace(line), ":")
		pkg, ours := strings.CutPrefix(path, module)
		if !ok || !ours {
			continue
		}
		seen++
		pattern, allowed, known := rowFor(pkg)
		if !known {
			t.Errorf("%s: no row says what it may import", pkg)
			continue
		}
		for _, dep := range strings.Fields(deps) {
			dep, ours := strings.CutPrefix(dep, module)
			if !ours || slices.Contains(leaves, dep) && !slices.Contains(leaves, pkg) {
				continue
			}
			if slices.Contains(leaves, pkg) && slices.Contains(leaves, dep) {
				continue
			}
			if !slices.ContainsFunc(allowed, func(p string) bool { return covers(p, dep) }) {
				t.Errorf("%s imports %s, which row %q does not allow", pkg, dep, pattern)
			}
		}
	}
	if seen < 10 {
		t.Fatalf("go list named %d packages; the test has lost its subject", seen)
	}
}

func TestRowsNameWhatExists(t *testing.T) {
	for pattern := range mayImport {
		folder := filepath.Join("..", strings.TrimSuffix(pattern, "/..."))
		if matches, _ := filepath.Glob(folder); len(matches) == 0 {
			t.Errorf("row %q names a package that does not exist", pattern)
		}
	}
}
