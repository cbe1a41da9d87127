package fault

// Limit limits the rate or the packet length of a direction.
const Limit = "limit"

// Keys of Limit.
const (
	KeyRate     = "rate"
	KeyQueue    = "queue"
	KeyMTU      = "mtu"
	KeyOversize = "oversize"

	OversizeDrop = "drop"
	OversizeTell = "tell"
)

var limit = Verb{
	Word: Limit, On: Wires, Impairs: true, Doc: "limit what FROM sends to TO. A rate in packets drops the excess (a policer); a rate in bits drops a packet that would wait longer than `queue`",
	Also:    []string{"throttle", "police", "mtu"},
	Receipt: "the wire that carries the frames is there",
	Undo:    Heal,
	Keys: []Key{
		{Name: KeyRate, Of: LineRate, Doc: "bits (`10mbit`) or packets (`30/s`) a second"},
		{Name: KeyQueue, Of: Span, Needs: KeyRate, Doc: "how long a packet waits at most (100ms; 0s for a rate in packets)"},
		{Name: KeyMTU, Of: Count, Low: 576, High: 1500, Doc: "length of the longest IP packet that passes"},
		{Name: KeyOversize, Of: Choice, Choices: []string{OversizeDrop, OversizeTell}, Needs: KeyMTU, Doc: "longer packets are dropped without an answer (`drop`, if left out), or answered by ICMP (`tell`, RFC 1191)"},
	},
	Wants: true,
}
