package bpf

import (
	"maps"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// PortsUsed implements dataplane.Dataplane.
func (d *Dataplane) PortsUsed() map[flow.Service]dataplane.PortUse {
	all := make(map[flow.Service]dataplane.PortUse)
	for _, f := range d.families {
		f.portsUsed(all)
	}
	return all
}

// portsUsed adds the port use of the family's services as counted by the last sweep.
func (f *family[A]) portsUsed(all map[flow.Service]dataplane.PortUse) {
	if used := f.used.Load(); used != nil {
		maps.Copy(all, *used)
	}
}

// beginPortCount starts a sweep's count of SNAT ports.
func (f *family[A]) beginPortCount() *dataplane.PortCount {
	return dataplane.NewPortCount(f.half, *f.balanced.Load())
}

// countPort counts the port of an entry that is not an affinity.
func countPort[A addr](ports *dataplane.PortCount, original, reply *rawTuple[A]) {
	if !ports.Empty() && original.Sport != 0 {
		t := fromTuple(reply)
		ports.Add(&t, 1)
	}
}

// endPortCount subtracts the entries that the sweep has removed.
func (f *family[A]) endPortCount(ports *dataplane.PortCount, removed []flow.Entry) {
	for i := range removed {
		if !removed[i].Original.IsAffinity() {
			ports.Add(&removed[i].Reply, -1)
		}
	}
	used := ports.Of()
	f.used.Store(&used)
}
