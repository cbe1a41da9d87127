package reports

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"baton/reports/model"
	"baton/scenarios/plan"
	"baton/scenarios/stored"
)

// StoredFile is the name of a stored report, which a folder may have instead of the runs.
const StoredFile = "report.json"

// storedMax limits its size in bytes.
const storedMax = 1 << 28

// Open reads the figures of a folder: from the runs below it, or else from its report.json.
func Open(dir string) (*model.Suite, error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s does not exist", dir)
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, fmt.Errorf("%s is not a folder", dir)
	}
	if s := Build([]string{dir}, nil); len(s.Runs) > 0 {
		return s, nil
	}
	file := filepath.Join(dir, StoredFile)
	data, err := stored.ReadFile(file, storedMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds neither runs nor a %s", dir, StoredFile)
	}
	var s model.Suite
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err == nil && s.Version != model.Version {
		err = fmt.Errorf("has version %d; this baton reads version %d", s.Version, model.Version)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &s, nil
}

// Figured reduces a report to the figures that a baseline needs. The result is small enough to
// commit.
func Figured(s *model.Suite) *model.Suite {
	rows := slices.Clone(s.Rows)
	for i := range rows {
		rows[i].Runs, rows[i].Figures = []int{}, slices.Clone(rows[i].Figures)
		for j := range rows[i].Figures {
			rows[i].Figures[j].Of = []int{}
		}
	}
	machines := s.Environments
	if !slices.ContainsFunc(rows, func(row model.Row) bool { return row.World != plan.Sim }) {
		machines = []model.Environment{} // virtual time does not depend on the machine
	}
	return &model.Suite{Version: s.Version, Outcome: s.Outcome, Counts: s.Counts, Environments: machines, Rows: rows,
		Runs: []model.Run{}, Campaigns: []model.Campaign{}, Problems: []model.Problem{}}
}
