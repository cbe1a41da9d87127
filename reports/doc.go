// Package reports renders stored runs. Build reads runs, judges them again
// with the checkers of today, and sums up; Table and the subpackages write the result.
// It never runs a scenario or changes a stored run; the command line and the suite
// call it.
package reports
