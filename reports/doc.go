// Package reports renders stored runs. Build reads runs, judges them again with
// the current checks, and summarizes them; Table and the subpackages write the
// result. It never runs a scenario or changes a stored run. The command line and
// the suite call it.
package reports
