// Package load finds stored runs and results of searches below folders, and reads them. A file that
// is damaged, truncated, missing or of another version becomes a model.Problem that names file and
// line; the usable part is kept. Runs are read one at a time, so a report of many runs holds few of
// them in memory. Package load writes nothing; package reports calls it.
package load

import "baton/reports/model"

// problem describes a problem with a file as a whole.
func problem(file, what, kept string) model.Problem {
	return model.Problem{File: file, What: what, Kept: kept}
}
