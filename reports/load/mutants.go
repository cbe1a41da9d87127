package load

import (
	"encoding/json"
	"errors"
	"fmt"

	"baton/reports/model"
	"baton/scenarios/stored"
)

// mutantsVersion is the version of mutants.json.
const mutantsVersion = 1

// Mutants reads mutants.json, which `make mutants` writes.
func Mutants(file string) (*model.Mutants, error) {
	var list struct {
		Version int  `json:"version"`
		Clean   bool `json:"clean"` // every suite passes without a mutant
		Mutants []struct {
			Name    string  `json:"name"`
			Outcome string  `json:"outcome"` // killed, survived, stale, not run, error
			Check   string  `json:"check"`
			Where   string  `json:"where"` // scenario and seed, or test
			Seconds float64 `json:"seconds"`
		} `json:"mutants"`
	}
	data, err := stored.ReadFile(file, resultMost)
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	if err != nil {
		return nil, err
	}
	if list.Version != mutantsVersion {
		return nil, fmt.Errorf("has version %d; this baton reads version %d", list.Version, mutantsVersion)
	}
	if !list.Clean {
		return nil, errors.New("says that a suite fails without a mutant too: a kill proves nothing")
	}
	m := &model.Mutants{File: file, Mutants: []model.Mutant{}}
	for _, s := range list.Mutants {
		switch s.Outcome {
		case "killed":
			m.Killed++
		case "survived":
			m.Survived++
		case "stale", "not run", "error":
			m.Stale++
		default:
			return nil, fmt.Errorf("mutant %q has the outcome %q, not killed, survived or stale", s.Name, s.Outcome)
		}
		m.Mutants = append(m.Mutants, model.Mutant{Name: s.Name, Outcome: s.Outcome, Check: s.Check, Where: s.Where, Took: seconds(s.Seconds)})
	}
	return m, nil
}
