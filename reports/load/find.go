package load

import (
	"io/fs"
	"path/filepath"
	"slices"

	"baton/reports/model"
	"baton/scenarios/summary"
)

// File names: those that make a folder a run, and results beside runs.
const (
	TraceFile    = "trace.jsonl"
	ResultFile   = "result.json"
	ScenarioFile = "scenario.scn"
	MutantsFile  = "mutants.json"
)

// Found lists what is below the given folders.
type Found struct {
	Runs     []string // folders
	Searches []string // files: campaigns and explorer walks
	Mutants  []string // files
	Problems []model.Problem
}

// Find walks the folders to any depth. A folder that is given twice, or is inside another, counts
// once.
func Find(dirs []string) Found {
	var found Found
	seen := map[string]bool{}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				found.Problems = append(found.Problems, problem(path, err.Error(), "the other folders"))
				return nil
			case entry.IsDir():
				return nil
			}
			found.take(path, entry.Name(), seen)
			return nil
		})
		if err != nil {
			found.Problems = append(found.Problems, problem(dir, err.Error(), ""))
		}
	}
	slices.Sort(found.Runs)
	return found
}

func (f *Found) take(path, name string, seen map[string]bool) {
	key := path
	if name == TraceFile || name == ResultFile {
		key = filepath.Dir(path)
	}
	absolute, err := filepath.Abs(key)
	if err != nil {
		absolute = key
	}
	if seen[absolute] {
		return
	}
	switch name {
	case TraceFile, ResultFile:
		f.Runs = append(f.Runs, filepath.Clean(key))
	case summary.File:
		f.Searches = append(f.Searches, path)
	case MutantsFile:
		f.Mutants = append(f.Mutants, path)
	default:
		return
	}
	seen[absolute] = true
}
