// Package load finds stored runs and results of searches below folders and reads
// them. Whatever is damaged, cut off, of another version or missing becomes a
// model.Problem that names file and line; what is usable of it is kept, and nothing
// is dropped in silence. A run is read on its own, so that a report of many holds
// only few in memory. It changes nothing; package reports calls it.
package load

import "baton/reports/model"

// problem is one of a file as a whole.
func problem(file, what, kept string) model.Problem {
	return model.Problem{File: file, What: what, Kept: kept}
}
