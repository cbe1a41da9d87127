package driver

// Resolved says whether the host knows the peer's hardware address on a path. It starts
// false.
func (d *Driver) Resolved(path int, known bool) {
	for len(d.resolved) <= path {
		d.resolved = append(d.resolved, false)
	}
	d.resolved[path] = known
}

// cast is whether a path's packets are unicast or broadcast. A packet to an unresolved
// neighbour would wait in the host for an ARP reply. Under one-way loss none arrives: a node
// that its peer could hear would fall silent, and each node would take the other for dead.
func (d *Driver) cast(path int) Cast {
	return Cast(path >= len(d.resolved) || !d.resolved[path])
}
