package link

import "baton/impl/clock"

// Chain is one direction that several models impair, each what the one before lets arrive.
type Chain []*Model

// TooLong reports whether an IP packet of a length is refused, and by which model.
func (c Chain) TooLong(length int) (*Model, bool) {
	for _, m := range c {
		if m.TooLong(length) {
			return m, true
		}
	}
	return nil, false
}

// Fate says what becomes of a packet of size bytes that is sent at now. What two models
// damage arrives with the later one's bit flipped.
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
