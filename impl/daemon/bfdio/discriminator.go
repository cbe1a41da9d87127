package bfdio

import "math/rand/v2"

// Discriminator draws a random bfd.LocalDiscr that is not taken (RFC 5880 section
// 6.8.1): who cannot see a session's packets cannot name the session.
func Discriminator(taken func(discr uint32) bool) uint32 {
	for {
		if d := rand.Uint32(); d != 0 && !taken(d) {
			return d
		}
	}
}
