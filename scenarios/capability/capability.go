// Package capability is the table of what a subject, a pair under test, can tell of
// itself or be asked to do. The wire and the clients show the rest, of any subject.
//
// The package observes nothing. Subjects declare what they provide, package check
// judges a claim only where the subject provides what the claim needs.
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
	{Roles, "tells each change of its role, with the reason"},
	{Gates, "tells the gates that were open and closed when it claimed the role"},
	{Lease, "tells until when it may forward"},
	{BFD, "tells when its paths to the peer go up and down"},
	{Sync, "tells the progress of connection sync"},
	{Replica, "tells a digest of its connection table"},
	{Table, "answers how it knows a flow, and lists its table"},
	{Handover, "gives the role away when asked"},
	{Reload, "reads its configuration again when asked"},
	{Services, "takes over services that have changed when it does"},
	{Drain, "takes new flows from one backend when asked"},
	{Breakable, "lets calls of its dataplane fail when asked"},
	{Versions, "can be started in another version"},
	{Certificates, "authenticates its sync stream by a certificate that it reads as it starts"},
}

// All lists the table.
func All() []Capability { return slices.Clone(capabilities) }

// Names lists the names of all capabilities.
func Names() []string {
	names := make([]string, len(capabilities))
	for i, c := range capabilities {
		names[i] = c.Name
	}
	return names
}

// Lacking lists what is not among the provided capabilities, in the order of the table.
func Lacking(provided []string) []string {
	return slices.DeleteFunc(Names(), func(name string) bool { return slices.Contains(provided, name) })
}
