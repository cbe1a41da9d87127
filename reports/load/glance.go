package load

import (
	"bufio"
	"path/filepath"

	"baton/impl/trace"
	"baton/reports/model"
	"baton/scenarios/check"
	"baton/scenarios/stored"
)

// Glance is a summary of a stored run: its result and the first event of its trace. The rest of the
// trace is not read.
type Glance struct {
	Stored   *check.Verdict // nil if it is missing or unreadable
	Meta     trace.Meta     // the zero value if the trace does not begin with one
	Problems []model.Problem
}

// Glance reads the result of a run and the first event of its trace.
func (reader *Reader) Glance(dir string) Glance {
	r := &Run{Dir: dir}
	g := Glance{Stored: r.result(filepath.Join(dir, ResultFile))}
	g.Problems = r.Problems
	if g.Stored != nil {
		g.Meta = trace.Meta{Scenario: g.Stored.Scenario, World: g.Stored.World, SUT: g.Stored.SUT, Seed: g.Stored.Seed}
	}
	f, err := stored.Open(filepath.Join(dir, TraceFile))
	if err != nil {
		return g
	}
	defer f.Close()
	line, whole, _ := nextLine(bufio.NewReaderSize(f, 64<<10))
	if !whole {
		return g
	}
	if e, err := reader.decoder.Decode(line); err == nil && e.Meta != nil {
		g.Meta = *e.Meta
	}
	return g
}

// Scenario returns the scenario name in a folder's scenario.scn, "" if it cannot be read.
func (reader *Reader) Scenario(dir string) string {
	p := reader.scenario(&Run{Dir: dir}, filepath.Join(dir, ScenarioFile))
	if p == nil {
		return ""
	}
	return p.Name
}
