package export

import (
	"bytes"
	"testing"

	"golang.org/x/perf/benchfmt"

	"baton/reports/model"
)

// TestBenchstatReadsWhatBenchfmtWrites: it reads every run and figure, even of runs with
// hostile names.
func TestBenchstatReadsWhatBenchfmtWrites(t *testing.T) {
	for _, name := range []string{"crash-master", hostile} {
		s := suite()
		s.Rows[0].Scenario = name
		s.Environments = []model.Environment{{Arch: "amd64", CPU: name, Kernel: "6.9"}}
		for i := range s.Runs {
			s.Runs[i].Metrics = map[string]float64{"takeover_ms": 120.5 + float64(i), "rst": 0}
		}
		var out bytes.Buffer
		if err := Benchfmt(&out, s); err != nil {
			t.Fatal(err)
		}
		reader := benchfmt.NewReader(bytes.NewReader(out.Bytes()), "bench.txt")
		runs := 0
		for reader.Scan() {
			result, ok := reader.Result().(*benchfmt.Result)
			if !ok {
				t.Fatalf("%v\n%s", reader.Result(), out.Bytes())
			}
			if value, ok := result.Value("takeover_ms"); !ok || value != 120.5+float64(runs) || result.GetConfig("kernel") != "6.9" {
				t.Errorf("run %d: %v, %v", runs, value, ok)
			}
			runs++
		}
		if reader.Err() != nil || runs != 2 {
			t.Errorf("%d runs, error %v", runs, reader.Err())
		}
	}
}
