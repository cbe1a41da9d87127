package config

import (
	"fmt"
	"slices"

	"baton/impl/catalog"
)

// Catalog returns the digests with which the peer compares its services.
func (c *Config) Catalog() catalog.Catalog {
	services := make([]catalog.Service, len(c.Services))
	for i, s := range c.Services {
		services[i] = catalog.Of(s.Name, s.parts())
	}
	return catalog.New(services)
}

// unequal returns weights, nil if all are equal.
func unequal(weights []int) []int {
	if !slices.ContainsFunc(weights, func(w int) bool { return w != weights[0] }) {
		return nil
	}
	return weights
}

// parts returns the compared parts of a service as texts.
func (s Service) parts() [catalog.Parts]string {
	return [catalog.Parts]string{
		catalog.Address:  s.identity().String(),
		catalog.Mode:     string(s.Mode),
		catalog.Balance:  string(s.Balance),
		catalog.SNAT:     s.snatText(),
		catalog.Backends: fmt.Sprint(s.Backends),
		catalog.Weights:  fmt.Sprint(unequal(s.Weights)),
		catalog.Check:    fmt.Sprintf("%+v", s.Check),
		catalog.Affinity: s.Affinity.String(),
		catalog.Limits:   fmt.Sprint(s.Limits),
	}
}
