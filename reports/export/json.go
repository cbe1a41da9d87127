// Package export renders a report for programs: report.json, junit.xml,
// summary.md and Go benchmark lines. It adds no information to the report. The
// command line calls it.
package export

import (
	"encoding/json"
	"io"

	"baton/reports/model"
)

// JSON writes report.json; docs/reports.md describes its fields.
func JSON(w io.Writer, s *model.Suite) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	return encoder.Encode(s)
}
