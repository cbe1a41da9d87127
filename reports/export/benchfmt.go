package export

import (
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/perf/benchfmt"

	"baton/reports/model"
)

// Benchfmt writes the figures in the format of Go benchmarks, a line for each run,
// for benchstat:
//
//	BenchmarkFailover/scenario=crash-master/world=netns 1 126.9 takeover_ms …
func Benchfmt(w io.Writer, s *model.Suite) error {
	writer := benchfmt.NewWriter(w)
	for _, row := range s.Rows {
		for _, i := range row.Runs {
			run := s.Runs[i]
			if len(run.Metrics) == 0 {
				continue
			}
			r := &benchfmt.Result{Name: benchfmt.Name(benchName(row)), Iters: 1, Config: benchConfig(s, run)}
			for _, name := range slices.Sorted(maps.Keys(run.Metrics)) {
				r.Values = append(r.Values, benchfmt.Value{Value: run.Metrics[name], Unit: word(name)})
			}
			if err := writer.Write(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func benchName(row model.Row) string {
	name := "Failover/scenario=" + word(row.Scenario) + "/world=" + word(row.World)
	if len(row.Settings) > 0 {
		name += "/set=" + word(strings.Join(row.Settings, ","))
	}
	return name
}

// benchConfig is the machine and build of a run, by which benchstat can group.
func benchConfig(s *model.Suite, run model.Run) []benchfmt.Config {
	if run.Environment < 0 || run.Environment >= len(s.Environments) {
		return nil
	}
	e := s.Environments[run.Environment]
	var list []benchfmt.Config
	for _, c := range [][2]string{{"goarch", e.Arch}, {"cpu", e.CPU}, {"kernel", e.Kernel}, {"baton", e.Baton}} {
		if c[1] != "" {
			list = append(list, benchfmt.Config{Key: c[0], Value: []byte(strings.Join(strings.FieldsFunc(c[1], unprintable), " ")), File: true})
		}
	}
	return list
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// word replaces characters that a part of a benchmark's name cannot have, such as spaces and slashes.
func word(text string) string {
	return strings.Map(func(r rune) rune {
		if unprintable(r) || unicode.IsSpace(r) || r == '/' || r == unicode.ReplacementChar {
			return '_'
		}
		return r
	}, text)
}
