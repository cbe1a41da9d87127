package model

import "baton/impl/dataplane"

// turns is a round of round robin in which each backend has as many turns as its weight
// says, spread over the round: the backend that is owed most is next, and has paid a round's
// worth with its turn.
func turns(s dataplane.Service) []dataplane.Backend {
	if s.Weights == nil {
		return s.Backends
	}
	divisor, total := 0, 0
	for _, w := range s.Weights {
		divisor = gcd(w, divisor)
		total += w
	}
	slots := make([]dataplane.Backend, total/max(divisor, 1))
	owed := make([]int, len(s.Weights))
	for i := range slots {
		next := 0
		for j, w := range s.Weights {
			if owed[j] += w; owed[j] > owed[next] {
				next = j
			}
		}
		owed[next] -= total
		slots[i] = s.Backends[next]
	}
	return slots
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
