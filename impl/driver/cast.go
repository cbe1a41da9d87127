package driver

// Resolved says whether the host knows the hardware address of the peer on a path. Until
// the first call it does not.
func (d *Driver) Resolved(path int, known bool) {
	for len(d.resolved) <= path {
		d.resolved = append(d.resolved, false)
	}
	d.resolved[path] = known
}

// cast is whom the packets of a path are addressed to. A packet to a neighbour that is not
// resolved would wait in the host for an answer by ARP. Under one-way loss none comes, so
// that a node which is heard would fall silent, and two that could tell which of them is
// deaf would take each other for dead.
func (d *Driver) cast(path int) Cast {
	return Cast(path >= len(d.resolved) || !d.resolved[path])
}
