// Package catalog compares what two nodes are configured to balance. Each node tells the
// other a digest of every part of every service, so that a difference is named without the
// configuration leaving its host. The package is pure; the node's core calls it.
package catalog

import (
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
)

// Part is a part of a service's configuration that has a digest of its own.
type Part uint8

// The parts, in the order in which nodes exchange them. A new part is added at the end: nodes
// compare the parts that both know.
const (
	Address Part = iota // protocol, VIP and port
	Mode
	Balance
	SNAT
	Backends
	Weights
	Check
	Affinity
	Limits
	Parts // how many there are
)

var partNames = [Parts]string{"address", "mode", "balance", "snat", "backends", "weights", "check", "affinity", "limits"}

func (p Part) String() string { return partNames[p] }

// Service is the digests of a service, by Part. Those of a peer may be fewer or more.
type Service struct {
	Name    string
	Digests []uint64
}

// Of returns the service with the digests of its parts as texts.
func Of(name string, texts [Parts]string) Service {
	s := Service{name, make([]uint64, Parts)}
	for i, text := range texts {
		h := fnv.New64a()
		h.Write([]byte(text))
		s.Digests[i] = h.Sum64()
	}
	return s
}

// Catalog is the services of a node, ordered by name. New makes one.
type Catalog []Service

// New orders services.
func New(services []Service) Catalog {
	c := slices.Clone(services)
	slices.SortFunc(c, func(a, b Service) int { return strings.Compare(a.Name, b.Name) })
	return c
}

// Difference is one thing in which the peer's configuration of a service is another.
type Difference struct {
	Service string `json:"service"`
	// What is the name of a Part, OnlyHere or OnlyThere.
	What string `json:"what"`
}

// What is different about a service that one node lacks.
const (
	OnlyHere  = "only here"
	OnlyThere = "only at the peer"
)

// Compare lists the differences from a peer's catalog, by service and part.
func (c Catalog) Compare(theirs Catalog) []Difference {
	var all []Difference
	for i, j := 0, 0; i < len(c) || j < len(theirs); {
		switch {
		case j == len(theirs) || i < len(c) && c[i].Name < theirs[j].Name:
			all = append(all, Difference{c[i].Name, OnlyHere})
			i++
		case i == len(c) || theirs[j].Name < c[i].Name:
			all = append(all, Difference{theirs[j].Name, OnlyThere})
			j++
		default:
			all = append(all, c[i].compare(theirs[j])...)
			i, j = i+1, j+1
		}
	}
	return all
}

func (s Service) compare(theirs Service) []Difference {
	var all []Difference
	for part := range min(len(s.Digests), len(theirs.Digests), int(Parts)) {
		if s.Digests[part] != theirs.Digests[part] {
			all = append(all, Difference{s.Name, Part(part).String()})
		}
	}
	return all
}

// Words says differences in one line, the services after the first few by their number.
func Words(all []Difference) string {
	const few = 4
	var words []string
	services := 0
	for i, d := range all {
		if i > 0 && d.Service == all[i-1].Service {
			if services <= few {
				words[len(words)-1] += ", " + d.What
			}
			continue
		}
		if services++; services <= few {
			words = append(words, d.Service+": "+d.What)
		}
	}
	if services > few {
		words = append(words, "and "+strconv.Itoa(services-few)+" more services")
	}
	return strings.Join(words, "; ")
}
