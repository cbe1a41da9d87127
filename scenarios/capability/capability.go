// Package capability lists what a subject, a pair under test, can report about itself or do
// on request. Everything else is observed on the wire and at the clients, for any subject.
//
// The package observes nothing. Subjects declare their capabilities, and package check
// judges a claim only if the subject has the capabilities that the claim needs.
package capability

import "slices"

// The capabilities.
const (
	Roles    = "roles"
	Gates    = "gates"
	Lease    = "lease"
	BFD      = "bfd"
	Sync     = "sync"
	Replica  = "replica"
	Table    = "table"
	Handover = "handover"
	Reload   = "reload"
	Services = "services"
	Drain    = "drain"

	Breakable    = "breakable"
	Certificates = "certificates"
	Versions     = "versions"
)

// Capability is one row of the table.
type Capability struct{ Name, Doc string }

var capabilities = []Capability{
	{Roles, "reports each change of its role, with the reason"},
	{Gates, "reports the gates that were open and closed when it claimed the role"},
	{Lease, "reports until when it may forward"},
	{BFD, "reports when its paths to the peer go up and down"},
	{Sync, "reports the progress of connection sync"},
	{Replica, "reports a digest of its connection table"},
	{Table, "looks up a flow in its table, and lists the table"},
	{Handover, "gives the role to its peer on request"},
	{Reload, "reads its configuration again on request"},
	{Services, "applies changed services at a reload"},
	{Drain, "sends no new flows to a backend on request"},
	{Breakable, "makes calls of its dataplane fail on request"},
	{Versions, "can be started in another version"},
	{Certificates, "authenticates its sync stream by a certificate that it reads when it starts"},
}

// All returns a copy of the table.
func All() []Capability { return slices.Clone(capabilities) }

// Names returns the names, in the order of the table.
func Names() []string {
	names := make([]string, len(capabilities))
	for i, c := range capabilities {
		names[i] = c.Name
	}
	return names
}

// Lacking returns the names that provided does not contain, in the order of the table.
func Lacking(provided []string) []string {
	return slices.DeleteFunc(Names(), func(name string) bool { return slices.Contains(provided, name) })
}
