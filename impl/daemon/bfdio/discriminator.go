package bfdio

import "math/rand/v2"

// Discriminator draws an unused random bfd.LocalDiscr (RFC 5880 section 6.8.1). Whoever
// cannot see a session's packets cannot guess its discriminator.
func Discriminator(taken func(discr uint32) bool) uint32 {
	for {
		if d := rand.Uint32(); d != 0 && !taken(d) {
			return d
		}
	}
}
