// Package reports shows what stored runs came to. It reads results and traces and
// never runs or changes anything; the command line and the suite call it.
package reports

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"baton/scenarios/check"
)

// resultFile is the file of a run's folder that holds its verdict.
const resultFile = "result.json"

// Run is one stored run.
type Run struct {
	Dir string
	check.Verdict
}

// Load reads the results of all runs in the folders below dir, by name. What
// cannot be read is named in the error; the rest is returned all the same.
func Load(dir string) ([]Run, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*", resultFile))
	if err != nil {
		return nil, fmt.Errorf("reports: %s: %w", dir, err)
	}
	var runs []Run
	var errs []error
	for _, file := range files {
		run := Run{Dir: filepath.Dir(file)}
		data, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(data, &run.Verdict)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("reports: %s: %w", file, err))
			continue
		}
		runs = append(runs, run)
	}
	return runs, errors.Join(errs...)
}
