package ha

import (
	"cmp"

	"baton/impl/fingerprint"
)

// Rank orders two nodes when more than one could be MASTER. First comes a node that is
// able to serve (links, dataplane and targets, not leaving); then what its table is
// worth; between tables of equal worth the epoch, because who claimed later served later;
// then the configured priority, stability, and at last the id, so that no two nodes rank
// alike.
//
// What a table is worth does not follow from its epoch: a node that is cut off raises
// its epoch as often as it claims, and nobody else has what it serves. Witnessed is the
// newest epoch of this table that both nodes have held, and counts while it is complete.
type Rank struct {
	Able      bool
	Epoch     uint32 // of the table
	Witnessed uint32
	Complete  bool
	Flows     uint32 // in the table when the present stream began
	Damped    bool   // the recovery delay runs and is lengthened: the node flaps
	Priority  uint8
	ID        string
}

// Fingerprint adds the rank to a state's hash.
func (r *Rank) Fingerprint(h *fingerprint.Hash) {
	h.Flag(r.Able)
	h.Counter(fingerprint.Epoch, uint64(r.Epoch))
	h.Number(uint64(r.Witnessed))
	h.Flag(r.Complete)
	h.Number(uint64(r.Flows))
	h.Flag(r.Damped)
	h.Number(uint64(r.Priority))
	h.Text(r.ID)
}

// Compare returns a positive number if r ranks above s.
func (r Rank) Compare(s Rank) int {
	return cmp.Or(
		compareBool(r.Able, s.Able),
		r.CompareTable(s),
		cmp.Compare(r.Flows, s.Flows),
		cmp.Compare(r.Epoch, s.Epoch),
		cmp.Compare(r.Priority, s.Priority),
		compareBool(s.Damped, r.Damped),
		cmp.Compare(s.ID, r.ID), // the lexically smaller id ranks above, lb1 before lb2
	)
}

// CompareTable returns a positive number if r's table has a history that s's lacks, or
// is complete where s's is not. A follower in sync compares equal to its MASTER.
func (r Rank) CompareTable(s Rank) int {
	return cmp.Or(cmp.Compare(r.history(), s.history()), compareBool(r.Complete, s.Complete))
}

// Supersedes reports whether r's table has what s's lacks, and s has not served since: it
// is worth more, or holds more flows where neither is complete.
func (r Rank) Supersedes(s Rank) bool {
	worth := r.CompareTable(s)
	return s.Epoch <= r.Epoch && (worth > 0 || worth == 0 && !r.Complete && r.Flows > s.Flows)
}

func (r Rank) history() uint32 {
	if r.Complete {
		return r.Witnessed
	}
	return 0
}

// CompareVersion1 is the order of a peer that speaks version 1 of the protocol, which
// has neither Witnessed nor Flows nor Damped. Both nodes must rank alike.
func (r Rank) CompareVersion1(s Rank) int {
	return cmp.Or(
		compareBool(r.Able, s.Able),
		cmp.Compare(r.Epoch, s.Epoch),
		compareBool(r.Complete, s.Complete),
		cmp.Compare(r.Priority, s.Priority),
		cmp.Compare(s.ID, r.ID),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
