package model_test

import (
	"slices"
	"testing"

	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
)

// TestWeightsAreShares: the backends' shares match their weights, with round robin exactly and
// spread over a round, with Maglev within a percent.
func TestWeightsAreShares(t *testing.T) {
	s := dataplane.Service{Balance: dataplane.RoundRobin, Weights: []int{30, 10, 20}}
	for port := range uint16(3) {
		s.Backends = append(s.Backends, dataplane.Backend{Port: port})
	}
	var ports []uint16
	for _, b := range model.Slots(s) {
		ports = append(ports, b.Port)
	}
	if want := []uint16{0, 2, 0, 1, 2, 0}; !slices.Equal(ports, want) {
		t.Errorf("round robin takes %v, want %v", ports, want)
	}
	s.Balance = dataplane.Maglev
	counts := [3]int{}
	slots := model.Slots(s)
	for _, b := range slots {
		counts[b.Port]++
	}
	for i, w := range s.Weights {
		if share := float64(counts[i]) / float64(len(slots)); share < float64(w)/60-.01 || share > float64(w)/60+.01 {
			t.Errorf("maglev gives backend %d %.3f of the slots, want %.3f", i, share, float64(w)/60)
		}
	}
	s.Weights = nil
	equal := model.Slots(s)
	s.Weights = []int{7, 7, 7}
	if !slices.Equal(equal, model.Slots(s)) {
		t.Error("equal weights are another table than none")
	}
}
