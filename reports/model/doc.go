// Package model defines the contents of a report: the schema of report.json as Go types. It is
// plain data and imports no other package of the project, so any reader of stored runs can fill it
// and any renderer can show it. It computes nothing.
//
// Durations are nanoseconds in fields of type time.Duration. Metrics keep their own unit, named by
// Figure.Unit. Texts come from traces and may contain anything, so every renderer must sanitize
// them.
package model

// Version is the version of the schema of report.json. It is raised when a field changes its
// meaning or is removed. A new field does not raise it.
const Version = 1
