package flow

// A flow is direct if its backend answers the client without the node. The node sees one
// direction of it, so its reply tuple only names the backend: its destination port is 0, which
// no packet has.

// DirectReply returns the reply tuple of a direct flow.
func DirectReply(original Tuple, backend Addr) Tuple {
	return Tuple{Src: backend, SrcPort: original.DstPort, Dst: original.Src, Proto: original.Proto}
}

// Unclaimed reports whether a reply tuple is one that no packet has: of a direct flow or an affinity.
// Several entries may share it.
func (t *Tuple) Unclaimed() bool { return t.DstPort == 0 }
