package sim

import "time"

// Random is the random number generator of one component: SplitMix64 (Steele, Lea, Flood 2014).
// Each component's generator is split from the run's seed by name, so its draws do not depend on
// how often others draw.
type Random struct{ state uint64 }

// NewRandom returns the generator of a component for a seed.
func NewRandom(seed uint64, component string) *Random { return &Random{split(seed, component)} }

// split derives the seed of a component (FNV-1a over its name).
func split(seed uint64, component string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(component) {
		h = (h ^ uint64(component[i])) * 0x100000001b3
	}
	return mix(seed ^ mix(h))
}

// mix is the finaliser of SplitMix64, a bijection with full avalanche.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Uint64 returns 64 random bits.
func (r *Random) Uint64() uint64 {
	r.state += 0x9e3779b97f4a7c15
	return mix(r.state)
}

// Float returns a number in [0, 1).
func (r *Random) Float() float64 { return float64(r.Uint64()>>11) / (1 << 53) }

// Below returns a number in [0, n); n is positive.
func (r *Random) Below(n int) int { return int(r.Uint64() % uint64(n)) }

// Chance reports true with probability p. It always draws one number.
func (r *Random) Chance(p float64) bool { return r.Float() < p }

// Between returns a duration in [low, high].
func (r *Random) Between(low, high time.Duration) time.Duration {
	return low + time.Duration(r.Float()*float64(high-low+1))
}
