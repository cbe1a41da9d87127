package flow

// An affinity binds a client to a backend of a service. It is an entry of the connection
// table whose original tuple has the source port 0, so that it is replicated and expires as
// flows do; its state is Closed or Unreplied. No packet has that port.

// Affinity returns the original tuple of the affinity to which a flow belongs. port stands for all
// ports of the service.
func (t Tuple) Affinity(port uint16) Tuple {
	t.SrcPort, t.DstPort = 0, port
	return t
}

// IsAffinity reports whether the original tuple of an entry is that of an affinity.
func (t *Tuple) IsAffinity() bool { return t.SrcPort == 0 }

// AffinityOf returns the entry that binds an affinity's original tuple to a backend. The tuple's
// destination port stands for all ports of the service. Backend port 0 means that packets keep
// their port.
func AffinityOf(original Tuple, backend Addr, port uint16) Entry {
	e := Entry{
		Original: original.Affinity(original.DstPort),
		Reply:    Tuple{Src: backend, SrcPort: port, Dst: original.Src, Proto: original.Proto},
		State:    Closed, Origin: Opened,
	}
	if original.Proto == UDP {
		e.State = Unreplied
	}
	return e
}
