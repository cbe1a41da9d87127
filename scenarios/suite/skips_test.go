package suite

import (
	"bytes"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2/types"
)

func TestTheCostIsTheSumOverAllSpecs(t *testing.T) {
	cost := func(d string) types.SpecReport {
		return types.SpecReport{ReportEntries: types.ReportEntries{{Name: costEntry, Value: types.WrapEntryValue(d)}, {Name: parityEntry, Value: types.WrapEntryValue("1s")}}}
	}
	var out bytes.Buffer
	printCost(&out, types.Report{RunTime: 2500 * time.Millisecond, SuiteConfig: types.SuiteConfig{ParallelTotal: 2}, SpecReports: types.SpecReports{cost("1.5s"), cost("250ms"), {}}})
	if want := "\ncost     2 specs: 2.5s wall, 1.8s CPU, 2 at once where none judges milliseconds\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}

// A claim that is true in one run counts as seen. A claim that is true in none is listed once.
func TestSometimesClaimsThatNoRunSaw(t *testing.T) {
	run := func(said ...string) (spec types.SpecReport) {
		for _, s := range said {
			spec.ReportEntries = append(spec.ReportEntries, types.ReportEntry{Name: sometimeEntry, Value: types.WrapEntryValue(s)})
		}
		return spec
	}
	never := neverSeen(types.SpecReports{run("false forwarders == 0", "false masters == 2"), run("true forwarders == 0"), run("false masters == 2", "false forwarders == 0"), run()})
	if len(never) != 1 || never[0] != "masters == 2" {
		t.Errorf("never seen: %q", never)
	}
}

// Skips by a filter are only counted.
func TestSkipsAreListedWithTheirReasons(t *testing.T) {
	var out bytes.Buffer
	printSkips(&out, types.SpecReports{
		{ContainerHierarchyTexts: []string{"crash-master"}, LeafNodeText: "holds in sim", State: types.SpecStateSkipped,
			Failure: types.Failure{Message: "the simulator has no disks"}},
		{ContainerHierarchyTexts: []string{"crash-master"}, LeafNodeText: "holds in netns", State: types.SpecStatePassed},
		{LeafNodeText: "not asked for", State: types.SpecStateSkipped},
	})
	if want := "skipped  crash-master holds in sim: the simulator has no disks\nskipped  1 specs that a filter leaves out\n"; out.String() != want {
		t.Errorf("printed\n%swant\n%s", out.String(), want)
	}
}
