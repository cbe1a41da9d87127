// Package model is what a report consists of: the schema of report.json as Go
// types. It is plain data and imports no package of the project, so that whatever
// reads stored runs can fill it and whatever renders a report can show it. It
// computes nothing.
//
// Durations are nanoseconds in fields of type time.Duration; metrics keep their
// own unit, which Figure.Unit names. Texts come from traces and may hold anything:
// whoever renders them makes them inert.
package model

// Version is the version of the schema of report.json. It is raised when a field
// changes its meaning or goes away; a new field does not raise it.
const Version = 1
