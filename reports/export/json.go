// Package export renders a report for programs: report.json, junit.xml and
// summary.md. It computes nothing that the report does not say; the command line
// calls it.
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
