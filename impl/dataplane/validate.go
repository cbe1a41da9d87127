package dataplane

import (
	"errors"
	"fmt"
	"slices"

	"baton/impl/flow"
)

// MaxServices is the maximum number of services of a dataplane.
const MaxServices = 256

// Validate returns an error if a dataplane cannot work with the service.
func (s Service) Validate() error {
	switch {
	case !s.Proto.Balanced():
		return fmt.Errorf("dataplane: service %q: protocol %s is neither tcp, udp nor sctp", s.Name, s.Proto)
	case !s.Mode.valid():
		return fmt.Errorf("dataplane: service %q: %s is neither fullnat, dnat, dsr-l2 nor dsr-ipip", s.Name, s.Mode)
	case !s.Balance.valid():
		return fmt.Errorf("dataplane: service %q: %s is neither rr, maglev nor least-conn", s.Name, s.Balance)
	case s.Mode == FullNAT && s.SNAT == flow.Addr{}:
		return fmt.Errorf("dataplane: service %q: fullnat needs a SNAT address", s.Name)
	case s.Mode.Direct() && s.SNAT != flow.Addr{}:
		return fmt.Errorf("dataplane: service %q: %s has no SNAT address", s.Name, s.Mode)
	case s.Affinity < 0:
		return fmt.Errorf("dataplane: service %q: an affinity of %v", s.Name, s.Affinity)
	}
	if err := s.validatePorts(); err != nil {
		return err
	}
	if err := s.validatePool(); err != nil {
		return err
	}
	for _, b := range s.Backends {
		switch {
		case b.Addr.Is4() == s.Backends[0].Addr.Is4() && (b.Addr.Is4() == s.VIP.Is4() || s.Mode.Encapsulates()):
		case s.Mode.Encapsulates():
			return fmt.Errorf("dataplane: service %q: backends %s and %s are not of one family", s.Name, s.Backends[0].Addr, b.Addr)
		default:
			return fmt.Errorf("dataplane: service %q: VIP %s and backend %s are not of one family, as only dsr-ipip allows", s.Name, s.VIP, b.Addr)
		}
	}
	if err := s.validateLimits(); err != nil {
		return err
	}
	return s.validateWeights()
}

// validatePorts checks which port the backends get. With dnat, two flows from one client port to
// different ports of a range would collide if the backend got both at one port. A direct backend
// gets packets unchanged.
func (s Service) validatePorts() error {
	if s.IsRange() && (s.Port == 0 || s.Last <= s.Port) {
		return fmt.Errorf("dataplane: service %q: ports %d-%d are no range", s.Name, s.Port, s.Last)
	}
	for _, b := range s.Backends {
		switch {
		case b.Port == 0 && !s.IsRange():
			return fmt.Errorf("dataplane: service %q: backend %s has no port", s.Name, b.Addr)
		case (b.Port == 0) != s.KeepsPorts():
			return fmt.Errorf("dataplane: service %q: some backends keep the port and some do not", s.Name)
		case b.Port != 0 && s.IsRange() && s.Mode == DNAT:
			return fmt.Errorf("dataplane: service %q: backend %s: dnat over a range of ports keeps the port", s.Name, b.Addr.WithPort(b.Port))
		case b.Port != 0 && s.Mode.Direct() && (s.IsRange() || b.Port != s.Port):
			return fmt.Errorf("dataplane: service %q: backend %s: %s keeps the port", s.Name, b.Addr.WithPort(b.Port), s.Mode)
		}
	}
	return nil
}

// validateRanges rejects ranges of one address that overlap without one containing the other,
// and services whose ports all belong to narrower ones.
func validateRanges(services []Service) error {
	f := FinderOf(services)
	if !f.Ranged() {
		return nil
	}
	for i, s := range services {
		if !s.IsRange() {
			continue
		}
		for _, other := range services[:i] {
			if s.Overlaps(other.Service) {
				return fmt.Errorf("dataplane: services %q and %q overlap: %s and %s", other.Name, s.Name, other.Service, s.Service)
			}
		}
		if _, ok := f.OwnPort(s.Service); !ok {
			return fmt.Errorf("dataplane: service %q: %s has no port that is not another service's", s.Name, s.Service)
		}
	}
	return nil
}

func (s Service) validatePool() error {
	if len(s.SNATPool) > 0 && s.SNAT == (flow.Addr{}) {
		return fmt.Errorf("dataplane: service %q: SNAT addresses without a first one", s.Name)
	}
	all := s.SNATs()
	if len(all) > MaxSNAT {
		return fmt.Errorf("dataplane: service %q: %d SNAT addresses > %d", s.Name, len(all), MaxSNAT)
	}
	for i, a := range all {
		if a.Is4() != s.VIP.Is4() {
			return fmt.Errorf("dataplane: service %q: VIP %s and SNAT address %s are not of one family", s.Name, s.VIP, a)
		}
		if slices.Contains(all[:i], a) {
			return fmt.Errorf("dataplane: service %q: SNAT address %s twice", s.Name, a)
		}
	}
	return nil
}

func (s Service) validateWeights() error {
	if s.Weights != nil && len(s.Weights) != len(s.Backends) {
		return fmt.Errorf("dataplane: service %q: %d weights for %d backends", s.Name, len(s.Weights), len(s.Backends))
	}
	for _, w := range s.Weights {
		if w < 1 || w > MaxWeight {
			return fmt.Errorf("dataplane: service %q: a weight of %d is not from 1 to %d", s.Name, w, MaxWeight)
		}
	}
	return nil
}

// ValidateServices returns an error if SetServices must reject the services.
func ValidateServices(services []Service) error {
	if len(services) > MaxServices {
		return fmt.Errorf("dataplane: %d services > %d", len(services), MaxServices)
	}
	names := make(map[flow.Service]string)
	for _, s := range services {
		if err := s.Validate(); err != nil {
			return err
		}
		if other, taken := names[s.Service]; taken {
			return fmt.Errorf("dataplane: services %q and %q are both %s", other, s.Name, s.Service)
		}
		names[s.Service] = s.Name
	}
	return validateRanges(services)
}

// Validate returns an error if a dataplane cannot work with the configuration.
func (c Config) Validate() error {
	if c.ClientLink == c.BackendLink {
		return fmt.Errorf("dataplane: client and backend link are both %q: two links are needed", c.ClientLink)
	}
	if c.SNATPorts.First == 0 || c.SNATPorts.Last < c.SNATPorts.First {
		return fmt.Errorf("dataplane: SNAT ports %d-%d are no range", c.SNATPorts.First, c.SNATPorts.Last)
	}
	if p := c.SNATPeer; p.Len() > 0 && (p.Last < p.First || p.First <= c.SNATPorts.Last && c.SNATPorts.First <= p.Last) {
		return fmt.Errorf("dataplane: SNAT ports %d-%d of the peer are no range beside %d-%d", p.First, p.Last, c.SNATPorts.First, c.SNATPorts.Last)
	}
	if c.MaxFlows < 0 {
		return fmt.Errorf("dataplane: capacity of %d flows", c.MaxFlows)
	}
	if c.ICMPRate < 0 {
		return fmt.Errorf("dataplane: %d ICMP errors a second", c.ICMPRate)
	}
	if c.Timeouts == (Timeouts{}) {
		return errors.New("dataplane: no timeouts")
	}
	for _, v := range c.VIPs {
		if v.Link != c.ClientLink && v.Link != c.BackendLink {
			return fmt.Errorf("dataplane: VIP %s: link %q is neither %q nor %q", v.Addr, v.Link, c.ClientLink, c.BackendLink)
		}
	}
	return ValidateServices(c.Services)
}

// ValidateEntry returns an error if Apply must reject the entry, because no packet could
// have created it.
func ValidateEntry(e *flow.Entry) error {
	p := e.Original.Proto
	switch {
	case p != e.Reply.Proto || !p.Balanced():
		return fmt.Errorf("dataplane: entry %s, reply %s: the protocol is not the same TCP, UDP or SCTP on both sides", e.Original, e.Reply)
	case !isOfOneFamily(e):
		return fmt.Errorf("dataplane: entry %s, reply %s: the addresses are not all of one family", e.Original, e.Reply)
	case !IsStateOf(p, e.State):
		return fmt.Errorf("dataplane: entry %s: a %s flow cannot have the state %s", e.Original, p, e.State)
	case e.Original.IsAffinity() && !e.Reply.Unclaimed():
		return fmt.Errorf("dataplane: entry %s, reply %s: only one side has port 0", e.Original, e.Reply)
	case !e.Original.IsAffinity() && e.Reply.Unclaimed() && e.Reply != flow.DirectReply(e.Original, e.Reply.Src):
		return fmt.Errorf("dataplane: entry %s, reply %s: not the reply tuple of a direct flow", e.Original, e.Reply)
	case e.Original.IsAffinity() && e.State != flow.Closed && e.State != flow.Unreplied:
		return fmt.Errorf("dataplane: entry %s: an affinity cannot have the state %s", e.Original, e.State)
	}
	return nil
}

// IsStateOf reports whether a flow of the protocol can have the state.
func IsStateOf(p flow.Proto, s flow.State) bool {
	return s.Valid() && (s <= flow.Closed) == (p != flow.UDP)
}

// isOfOneFamily reports whether the addresses of an entry are of one family. The backend of a direct
// flow or of an affinity may be of the other family.
func isOfOneFamily(e *flow.Entry) bool {
	is4 := e.Original.Dst.Is4()
	return e.Original.Src.Is4() == is4 && e.Reply.Dst.Is4() == is4 && (e.Reply.Src.Is4() == is4 || e.Reply.Unclaimed())
}
