package model

import "baton/impl/dataplane"

// turns returns one round of smooth weighted round robin: each backend's turns are
// proportional to its weight and spread over the round. In each turn every backend's weight
// is added to its credit; the backend with the most credit gets the turn and pays the sum
// of the weights.
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
	credit := make([]int, len(s.Weights))
	for i := range slots {
		next := 0
		for j, w := range s.Weights {
			if credit[j] += w; credit[j] > credit[next] {
				next = j
			}
		}
		credit[next] -= total
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
