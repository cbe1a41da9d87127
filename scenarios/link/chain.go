package link

import "baton/impl/clock"

// Chain is one direction with several models. Each gets the packets that the one before delivers.
type Chain []*Model

// TooLong returns the model that refuses an IP packet of that length, if any.
func (c Chain) TooLong(length int) (*Model, bool) {
	for _, m := range c {
		if m.TooLong(length) {
			return m, true
		}
	}
	return nil, false
}

// Fate returns the deliveries of a packet of size bytes that is sent at now. If two models damage
// it, it arrives with the bit of the later one flipped.
func (c Chain) Fate(now clock.Instant, size int) []Delivery {
	arrivals := []Delivery{{At: now}}
	for _, m := range c {
		var next []Delivery
		for _, a := range arrivals {
			for _, d := range m.Fate(a.At, size) {
				if !d.Corrupt {
					d.Corrupt, d.Bit = a.Corrupt, a.Bit
				}
				next = append(next, d)
			}
		}
		arrivals = next
	}
	return arrivals
}
