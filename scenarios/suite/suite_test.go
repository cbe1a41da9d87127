// Package suite makes a spec of each scenario file and world. It is a test
// package only: `make test-scenarios` runs it as root, and the reports are
// Ginkgo's JUnit and JSON beside the stored runs.
package suite

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"baton/netns"
	"baton/reports"
	"baton/scenarios"
	"baton/scenarios/check"
	"baton/scenarios/plan"
)

var (
	folder = flag.String("scenarios", "..", "the folder of the scenario files")
	files  []string
)

// out and program come from the environment, since Ginkgo owns the command line.
func out() string { return orElse(os.Getenv("OUT"), filepath.Join(os.TempDir(), "baton-out")) }

func program() string { return os.Getenv("BATON") }

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func TestScenarios(t *testing.T) {
	if program() == "" {
		t.Skip("BATON does not name the baton program; run make test-scenarios")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: namespaces and eBPF; run make test-scenarios")
	}
	RegisterFailHandler(Fail)
	var err error
	files, err = filepath.Glob(filepath.Join(*folder, "*.scn"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenario files in %s", *folder)
	}
	for _, file := range files {
		specify(file)
	}
	RunSpecs(t, "scenarios")
}

// specify makes the specs of one scenario file.
func specify(file string) {
	name := strings.TrimSuffix(filepath.Base(file), ".scn")
	Describe(name, func() {
		It("in network namespaces", Label(plan.Netns), func(ctx SpecContext) {
			verdict := execute(ctx, file)
			switch verdict.Verdict {
			case scenarios.Skip:
				Skip(strings.Join(verdict.Reasons, "; "))
			case check.Pass:
			default:
				Fail(fmt.Sprintf("%s: %s\nreplay: baton run %s", verdict.Verdict, strings.Join(verdict.Reasons, "\n"), file))
			}
		})
	})
}

func execute(ctx context.Context, file string) check.Verdict {
	source, err := os.ReadFile(file)
	Expect(err).NotTo(HaveOccurred())
	p, err := plan.Parse(file, source)
	Expect(err).NotTo(HaveOccurred())
	job := scenarios.Job{
		Plan: p, World: plan.Netns, SUT: "reference", Dir: filepath.Join(out(), p.Name),
		NewWorld: func(p *plan.Plan, dir string, recorder scenarios.Recorder) (scenarios.World, error) {
			return netns.NewWorld(p, netns.WorldConfig{
				Dir: dir, Baton: program(), Recorder: recorder, AllowUnsafe: p.IsControl(plan.Netns),
			}), nil
		},
	}
	verdict, err := job.Execute(ctx)
	Expect(err).NotTo(HaveOccurred())
	return verdict
}

var _ = ReportAfterSuite("table", func(Report) {
	if err := reports.Table(os.Stdout, out()); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
})
