package dataplane

// Counters are monotonic since Configure.
type Counters struct {
	Forwarded  [2]uint64 // packets: original direction, reply direction
	Bytes      [2]uint64
	Created    uint64 // entries opened by first packets
	Adopted    uint64 // entries created by mid-flow segments
	ARPReplies uint64 // ARP replies and neighbour advertisements
	Dropped    [DropKinds]uint64
	EventsLost uint64 // flow events lost because the ring buffer was full
	Evicted    uint64 // entries deleted by Sweep before their timeout, under pressure
	Resets     uint64 // RSTs and ABORTs to clients of a service without backends
	Relayed    uint64 // packets relayed to the peer
	// Deferred replies were held back. Undeferred ones were forwarded at once instead, because
	// they were too large or the ring buffer was half full.
	Deferred, Undeferred uint64
	// EchoReplies answered pings of a VIP. ICMPErrors told a sender that its packet was
	// dropped for its TTL, its size, or because no backend serves.
	EchoReplies, ICMPErrors uint64
	Fragments               uint64 // fragments forwarded
	Unproven                uint64 // RSTs, FINs and SYNs, and the like of SCTP, that were forwarded without a change of state: see docs/conntrack.md
	Fast                    Fast
}

// Refusals counts dropped new flows of a service, by reason.
type Refusals struct {
	NoBackend, NoPort, TableFull, ServiceLimit, SourceLimit, Challenged uint64
}

// refusals is the table of the reasons for which new flows are refused.
var refusals = []struct {
	why   Drop
	count func(*Refusals) *uint64
}{
	{DropNoBackend, func(r *Refusals) *uint64 { return &r.NoBackend }},
	{DropNoPort, func(r *Refusals) *uint64 { return &r.NoPort }},
	{DropTableFull, func(r *Refusals) *uint64 { return &r.TableFull }},
	{DropServiceLimit, func(r *Refusals) *uint64 { return &r.ServiceLimit }},
	{DropSourceLimit, func(r *Refusals) *uint64 { return &r.SourceLimit }},
	{DropChallenged, func(r *Refusals) *uint64 { return &r.Challenged }},
}

// Add counts a dropped packet if the reason is one of a refused flow.
func (r *Refusals) Add(why Drop) {
	for _, n := range refusals {
		if n.why == why {
			*n.count(r)++
		}
	}
}

// ByReason returns the counts by the names of their reasons.
func (r Refusals) ByReason() map[string]uint64 {
	named := make(map[string]uint64, len(refusals))
	for _, n := range refusals {
		named[n.why.String()] = *n.count(&r)
	}
	return named
}

// Since calls tell with the growth of each count since before, in a fixed order. Counts restart
// when a service is re-created.
func (r Refusals) Since(before Refusals, tell func(why Drop, count uint64)) {
	for _, n := range refusals {
		switch now, was := *n.count(&r), *n.count(&before); {
		case now > was:
			tell(n.why, now-was)
		case now < was && now > 0:
			tell(n.why, now)
		}
	}
}
