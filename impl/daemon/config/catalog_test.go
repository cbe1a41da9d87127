package config

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"baton/impl/catalog"
)

// Each key of a service is in one part of its digests, by which the peer names it.
func TestEveryKeyOfAServiceHasADigest(t *testing.T) {
	service := func() Service {
		return Service{
			Name: "web", Proto: TCP, VIP: netip.MustParseAddr("198.18.0.100"), Port: Ports{First: 80}, Mode: FullNAT, Balance: RoundRobin,
			SNAT: Address{Addr: netip.MustParseAddr("198.18.1.100")}, Check: defaultCheck(),
			Backends: []netip.AddrPort{netip.MustParseAddrPort("198.18.1.11:80"), netip.MustParseAddrPort("198.18.1.12:80")},
		}
	}
	for _, tt := range []struct {
		want catalog.Part
		edit func(*Service)
	}{
		{catalog.Address, func(s *Service) { s.Proto = UDP }},
		{catalog.Address, func(s *Service) { s.VIP = netip.MustParseAddr("198.18.0.101") }},
		{catalog.Address, func(s *Service) { s.Port.First = 81 }},
		{catalog.Address, func(s *Service) { s.Port.Last = 89 }},
		{catalog.Mode, func(s *Service) { s.Mode = DNAT }},
		{catalog.Balance, func(s *Service) { s.Balance = Maglev }},
		{catalog.Limits, func(s *Service) { s.Limits.SourceFlows = 1 }},
		{catalog.SNAT, func(s *Service) { s.SNAT = Address{netip.MustParseAddr("198.18.1.101")} }},
		{catalog.Backends, func(s *Service) { s.Backends[1] = netip.MustParseAddrPort("198.18.1.13:80") }},
		{catalog.Backends, func(s *Service) { slices.Reverse(s.Backends) }},
		{catalog.Weights, func(s *Service) { s.Weights = []int{1, 2} }},
		{catalog.Check, func(s *Service) { s.Check.Interval = Duration(time.Minute) }},
		{catalog.Check, func(s *Service) { s.Check.Command = []string{"/bin/true"} }},
		{catalog.Affinity, func(s *Service) { s.Affinity = Duration(time.Minute) }},
	} {
		mine, theirs := Config{Services: []Service{service()}}, Config{Services: []Service{service()}}
		tt.edit(&theirs.Services[0])
		want := []catalog.Difference{{Service: "web", What: tt.want.String()}}
		if got := mine.Catalog().Compare(theirs.Catalog()); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	one, other := Config{Services: []Service{service()}}, Config{Services: []Service{service()}}
	other.Services[0].Weights = []int{1, 1}
	if got := one.Catalog().Compare(other.Catalog()); len(got) > 0 {
		t.Errorf("equal weights, of which one node's file says nothing: %v", got)
	}
}
