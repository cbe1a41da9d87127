// Package suite creates a spec for each scenario file and world. It contains tests only: `make
// test-scenarios` runs it as root, and `baton report` renders what it stores.
package suite

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"

	"baton/impl/trace"
	"baton/netns"
	"baton/netns/subject"
	"baton/scenarios"
	"baton/scenarios/check"
	"baton/scenarios/origin"
	"baton/scenarios/plan"
	"baton/sim"
	"baton/sim/parity"
)

var (
	folder  = flag.String("scenarios", "..", "the folder of the scenario files")
	library = flag.Bool("library", false, "also run the files in subfolders of -scenarios")
	strict  = flag.Bool("fail-on-skip", false, "a skipped run is a failure")
	files   []string
)

// out and program read the environment, because Ginkgo parses the command line.
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
	for _, pattern := range []string{"*.scn", "*/*.scn"} {
		if *library || pattern == "*.scn" {
			found, globErr := filepath.Glob(filepath.Join(*folder, pattern))
			files, err = append(files, found...), errors.Join(err, globErr)
		}
	}
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenario files in %s", *folder)
	}
	var plans []*plan.Plan
	for _, file := range files {
		plans = append(plans, specify(file)...)
	}
	if same := plan.SameNames(plans); len(same) > 0 {
		t.Fatal(same)
	}
	RunSpecs(t, "scenarios")
}

// specify creates the specs of one scenario file: for each scenario a run in each world, and the
// comparison of the two. It returns the scenarios of the file, none if it cannot be read.
func specify(file string) []*plan.Plan {
	source, err := os.ReadFile(file)
	if err != nil {
		broken(file, err)
		return nil
	}
	plans, found := plan.Expand(file, source, os.ReadFile)
	if wrong := found.Errors(true); len(wrong) > 0 {
		broken(file, wrong)
		return nil
	}
	for _, p := range plans {
		describe(file, p)
	}
	return plans
}

// broken creates a failing spec for a file that cannot be read.
func broken(file string, err error) {
	It("reads "+filepath.Base(file), func() { Expect(err).NotTo(HaveOccurred()) })
}

// describe creates the specs of one scenario.
func describe(file string, p *plan.Plan) {
	args := []any{Ordered, ContinueOnFailure}
	if p.Punctual(plan.Netns) {
		args = append(args, Serial) // nothing may run beside a scenario that judges milliseconds
	}
	Describe(p.Name, append(args, func() {
		var began time.Duration
		BeforeEach(func() { began = scenarios.ProcessorTime() })
		AfterEach(func() {
			AddReportEntry(costEntry, (scenarios.ProcessorTime() - began).String(), ReportEntryVisibilityNever)
		})
		for _, world := range []string{plan.Sim, plan.Netns} {
			It("holds in "+world, Label(world), func(ctx SpecContext) { judge(settle(ctx, p, world), file) })
		}
		It("goes alike in both worlds", Label("parity"), func() { compare(p) })
	})...)
}

// ungated reports whether nodes claim without gates. Two MASTERs then learn of each other by the
// heartbeat or by the stream, in either order.
func ungated(p *plan.Plan) bool {
	return slices.ContainsFunc(p.Unsafe(), func(s plan.Setting) bool { return s.Key == "ha.gates" })
}

// folderOf returns the folder of a run. It has the name of the scenario, with .sim for the simulator.
func folderOf(p *plan.Plan, world string) string {
	if world == plan.Sim {
		return filepath.Join(out(), p.Name+".sim")
	}
	return filepath.Join(out(), p.Name)
}

// attempts is how often a scenario is run at most. Only an inconclusive run is repeated, for
// example when the machine stalled; a failure is final. Inconclusive runs are reported and stored
// beside the others. They fail the suite if no attempt gives a verdict.
const attempts = 3

func settle(ctx context.Context, p *plan.Plan, world string) check.Verdict {
	folder := folderOf(p, world)
	stale, _ := filepath.Glob(folder + ".inconclusive*") // left by an earlier suite
	for _, dir := range stale {
		Expect(os.RemoveAll(dir)).To(Succeed())
	}
	for attempt := 1; ; attempt++ {
		verdict := execute(ctx, p, world)
		if verdict.Verdict != check.Inconclusive || world == plan.Sim || attempt == attempts {
			return verdict
		}
		aside := fmt.Sprintf("%s.inconclusive%d", folder, attempt)
		Expect(os.Rename(folder, aside)).To(Succeed())
		fmt.Printf("\nagain    %s in %s: run %d proved nothing: %s\n         results: %s\n",
			p.Name, world, attempt, strings.Join(verdict.Reasons, "; "), aside)
	}
}

func execute(ctx context.Context, p *plan.Plan, world string) check.Verdict {
	under, err := subject.Named(p.Value(world, "", plan.KeySubject))
	Expect(err).NotTo(HaveOccurred())
	job := scenarios.Job{
		Plan: p, World: world, SUT: under.Name(), Seed: 1, Dir: folderOf(p, world),
		Origin: &trace.Origin{File: p.File, Host: origin.Here(orElse(os.Getenv("VERSION"), "unversioned"))},
		NewWorld: func(s scenarios.Stage) (scenarios.World, error) {
			if world == plan.Sim {
				if err := subject.Simulated(under); err != nil {
					return nil, err
				}
				return sim.NewWorld(p, sim.Config{Seed: 1, Recorder: s.Recorder, Evidence: s.EvidenceLimit > 0})
			}
			return netns.NewWorld(p, netns.WorldConfig{Dir: s.Dir, Baton: program(), Subject: under, Recorder: s.Recorder, Seed: 1,
				AllowUnsafe: p.IsControl(world), EvidenceLimit: s.EvidenceLimit}), nil
		},
	}
	verdict, err := job.Execute(ctx)
	Expect(err).NotTo(HaveOccurred())
	return verdict
}

func judge(v check.Verdict, file string) {
	for _, claim := range v.Sometimes {
		AddReportEntry(sometimeEntry, fmt.Sprintf("%t %s", claim.Seen, claim.Claim), ReportEntryVisibilityNever)
	}
	switch skip, failure := judged(v, file, *strict); {
	case skip != "":
		Skip(skip)
	case failure != "":
		Fail(failure)
	}
}

// judged returns why a spec is skipped or why it fails; both are "" if it passes. With strict,
// skips are failures.
func judged(v check.Verdict, file string, strict bool) (skip, failure string) {
	reasons := strings.Join(v.Reasons, "\n")
	switch {
	case v.Verdict == check.Skip && !strict:
		return orElse(strings.Join(v.Reasons, "; "), "no reason"), ""
	case v.Verdict == check.Pass:
		return "", ""
	}
	return "", fmt.Sprintf("%s: %s\nreplay: baton run --world %s %s", v.Verdict, reasons, v.World, file)
}

// compare compares the role changes of the two stored runs. It reports their durations, but does
// not judge them.
func compare(p *plan.Plan) {
	if ungated(p) {
		Skip("the gates are off: which of two MASTERs yields first is a race")
	}
	var traces [2][]trace.Event
	for i, world := range []string{plan.Netns, plan.Sim} {
		var err error
		traces[i], err = scenarios.ReadTrace(folderOf(p, world))
		if errors.Is(err, os.ErrNotExist) {
			Skip("no run in " + world)
		}
		Expect(err).NotTo(HaveOccurred())
		if !slices.ContainsFunc(traces[i], func(e trace.Event) bool { return e.Step != nil }) {
			Skip(world + " cannot run it")
		}
	}
	verdict := parity.Compare(traces[0], traces[1])
	AddReportEntry(parityEntry, verdict.Summary(), ReportEntryVisibilityNever)
	if excuse := verdict.Excuse(p); excuse != "" {
		Skip(fmt.Sprintf("%s\n%s", verdict, excuse))
	}
	if !verdict.Same {
		Fail(verdict.String())
	}
}

// costEntry is the report entry with the processor time of a spec.
const costEntry = "cost"

var _ = ReportAfterSuite("cost", func(report Report) { printCost(os.Stdout, report) })

// printCost prints the wall time and the processor time of the suite.
func printCost(w io.Writer, report Report) {
	var worked time.Duration
	specs := 0
	for _, spec := range report.SpecReports {
		for _, entry := range spec.ReportEntries {
			if cost, err := time.ParseDuration(entry.StringRepresentation()); entry.Name == costEntry && err == nil {
				worked += cost
				specs++
			}
		}
	}
	fmt.Fprintf(w, "\ncost     %d specs: %.1fs wall, %.1fs CPU, %d at once where none judges milliseconds\n", specs, report.RunTime.Seconds(), worked.Seconds(), report.SuiteConfig.ParallelTotal)
}

// sometimeEntry is the report entry with the sometimes claims of a run.
const sometimeEntry = "sometimes"

var _ = ReportAfterSuite("sometimes", func(report Report) {
	if never := neverSeen(report.SpecReports); len(never) > 0 {
		Fail("no run has seen: sometimes " + strings.Join(never, "; sometimes "))
	}
})

// neverSeen returns the claims that were true in no run.
func neverSeen(specs types.SpecReports) []string {
	seen := map[string]bool{}
	for _, spec := range specs {
		for _, entry := range spec.ReportEntries {
			if was, claim, ok := strings.Cut(entry.StringRepresentation(), " "); ok && entry.Name == sometimeEntry {
				seen[claim] = seen[claim] || was == "true"
			}
		}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(seen)), func(claim string) bool { return seen[claim] })
}

// parityEntry is the report entry with the summary of a comparison.
const parityEntry = "parity"

var _ = ReportAfterSuite("parity", func(report Report) {
	printParity(os.Stdout, report.SpecReports)
})

// printParity prints a line for each scenario that ran in both worlds, by name.
func printParity(w io.Writer, specs types.SpecReports) {
	var lines []string
	for _, spec := range specs {
		for _, entry := range spec.ReportEntries {
			if entry.Name == parityEntry {
				lines = append(lines, fmt.Sprintf("parity   %s: %s\n", spec.ContainerHierarchyTexts[0], entry.StringRepresentation()))
			}
		}
	}
	slices.Sort(lines)
	fmt.Fprintf(w, "\n%s", strings.Join(lines, ""))
}

var _ = ReportAfterSuite("skips", func(report Report) {
	printSkips(os.Stdout, report.SpecReports)
})

// printSkips prints what was skipped and why, and counts the specs that the user's filter left out.
func printSkips(w io.Writer, specs types.SpecReports) {
	leftOut := 0
	for _, spec := range specs {
		switch reason := spec.FailureMessage(); {
		case !spec.State.Is(types.SpecStateSkipped | types.SpecStatePending):
		case reason == "":
			leftOut++
		default:
			fmt.Fprintf(w, "skipped  %s: %s\n", spec.FullText(), reason)
		}
	}
	if leftOut > 0 {
		fmt.Fprintf(w, "skipped  %d specs that a filter leaves out\n", leftOut)
	}
}
