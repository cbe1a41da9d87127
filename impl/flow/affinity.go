package flow

// An affinity binds a client to a backend of a service. It is an entry of the connection
// table whose original tuple has the source port 0, so that it is replicated and expires as
// flows do; its state is Closed or Unreplied. No packet has that port.

// Affinity returns the original tuple of the affinity that a flow of the tuple belongs to.
func (t Tuple) Affinity() Tuple {
	t.SrcPort = 0
	return t
}

// IsAffinity reports whether the original tuple of an entry is that of an affinity.
func (t *Tuple) IsAffinity() bool { return t.SrcPort == 0 }

// AffinityOf returns the affinity of an original tuple to a backend.
func AffinityOf(original Tuple, backend Addr, port uint16) Entry {
	e := Entry{
		Original: original.Affinity(),
		Reply:    Tuple{Src: backend, SrcPort: port, Dst: original.Src, Proto: original.Proto},
		State:    Closed, Origin: Opened,
	}
	if original.Proto == UDP {
		e.State = Unreplied
	}
	return e
}
