package reports

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"baton/reports/model"
	"baton/reports/sanitize"
	"baton/scenarios/coverage"
)

// cover summarizes the coverage of the runs and their sometimes claims.
func cover(s *model.Suite, runs []gathered) {
	met := map[coverage.Cell]int{}
	var worlds []string
	for _, g := range runs {
		for _, cell := range g.cells {
			met[cell]++
		}
		if len(g.cells) > 0 && !slices.Contains(worlds, g.key.world) {
			worlds = append(worlds, g.key.world)
		}
		sometime(s, g)
	}
	slices.Sort(worlds)
	for _, world := range worlds {
		s.Coverage = append(s.Coverage, covered(world, met))
	}
}

// covered compares the cells that were reached in a world with the possible ones.
func covered(world string, met map[coverage.Cell]int) model.Coverage {
	c := model.Coverage{World: world, Cells: []model.Cell{}, Holes: []model.Cell{}}
	var seen []coverage.Cell
	for cell := range met {
		if cell.World == world {
			seen = append(seen, cell)
		}
	}
	slices.SortFunc(seen, coverage.Compare)
	for _, cell := range seen {
		c.Cells = append(c.Cells, model.Cell{Fault: cell.Fault, Role: cell.Role, Phase: cell.Phase, Runs: met[cell]})
	}
	possible := coverage.Possible(world)
	c.Possible = len(possible)
	for _, cell := range possible {
		if met[cell] > 0 {
			c.Met++
		} else {
			c.Holes = append(c.Holes, model.Cell{Fault: cell.Fault, Role: cell.Role, Phase: cell.Phase})
		}
	}
	return c
}

// sometime adds the sometimes claims of one run.
func sometime(s *model.Suite, g gathered) {
	for _, claim := range g.sometimes {
		i := slices.IndexFunc(s.Sometimes, func(m model.Sometime) bool { return m.Claim == claim.Claim })
		if i < 0 {
			i = len(s.Sometimes)
			s.Sometimes = append(s.Sometimes, model.Sometime{Claim: claim.Claim})
		}
		m := &s.Sometimes[i]
		m.Runs++
		if !slices.Contains(m.Scenarios, g.key.scenario) {
			m.Scenarios = append(m.Scenarios, g.key.scenario)
		}
		if claim.Seen {
			m.Seen++
		}
		if claim.Seen || m.Seen == 0 {
			m.Detail = claim.Detail
		}
	}
}

// tellCoverage prints the coverage and the sometimes claims that no run satisfied.
func tellCoverage(w io.Writer, s *model.Suite) {
	for _, c := range s.Coverage {
		fmt.Fprintf(w, "coverage in %s: %d of %d combinations of fault, role and TCP phase; index.html has the holes\n", sanitize.Terminal(c.World), c.Met, c.Possible)
	}
	for _, m := range s.Sometimes {
		if m.Seen == 0 {
			fmt.Fprintf(w, "never seen in %d runs of %s: sometimes %s: %s\n", m.Runs, sanitize.Terminal(strings.Join(m.Scenarios, ", ")), sanitize.Terminal(m.Claim), sanitize.Terminal(m.Detail))
		}
	}
}
