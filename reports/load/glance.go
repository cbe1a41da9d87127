package load

import (
	"bufio"
	"path/filepath"

	"baton/impl/trace"
	"baton/reports/model"
	"baton/scenarios/check"
	"baton/scenarios/stored"
)

// Glance is what a stored run says of itself at first sight: its result, and the first
// event of its trace. It is read without the rest of the trace.
type Glance struct {
	Stored   *check.Verdict // nil if there is none that can be read
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

// Scenario is the name in the scenario.scn of a folder, "" if none can be read.
func (reader *Reader) Scenario(dir string) string {
	p := reader.scenario(&Run{Dir: dir}, filepath.Join(dir, ScenarioFile))
	if p == nil {
		return ""
	}
	return p.Name
}
