package lab

import (
	"fmt"

	"baton/impl/trace"
)

// Rule is one direction between two machines on one link.
type Rule = trace.Direction

// Rules returns the directions from one machine or group to another over the link via, or over
// any link if it is "": one rule for each pair of machines and link that joins them.
func (t Topo) Rules(from, to, via string) []Rule {
	var rules []Rule
	for _, receiver := range t.Members(to) {
		for _, link := range receiver.Links() {
			if via != "" && via != link {
				continue
			}
			for _, sender := range t.Members(from) {
				if sender.On(link) && sender != receiver {
					rules = append(rules, Rule{Link: link, From: sender.Name, To: receiver.Name})
				}
			}
		}
	}
	return rules
}

// Joining lists the links that join two machines or groups.
func (t Topo) Joining(from, to string) []string {
	var joining []string
	for _, link := range Links() {
		if len(t.Rules(from, to, link)) > 0 {
			joining = append(joining, link)
		}
	}
	return joining
}

// Resolve lists the rules of a selector of a single direction. The error says why there are none.
func (t Topo) Resolve(s Selector) ([]Rule, error) {
	for _, name := range []string{s.From, s.To} {
		if len(t.Members(name)) == 0 {
			return nil, fmt.Errorf("%s: no host or group %q", s, name)
		}
	}
	rules := t.Rules(s.From, s.To, s.Via)
	for i := range rules {
		rules[i].Only = s.Only
	}
	if len(rules) == 0 {
		return nil, fmt.Errorf("%s: no link joins them", s)
	}
	return rules, nil
}

// Ports lists the machines with an interface on a link.
func (t Topo) Ports(link string) []string {
	var names []string
	for _, h := range t.Hosts() {
		if h.On(link) {
			names = append(names, h.Name)
		}
	}
	return names
}

// All lists the directions of a link.
func (t Topo) All(link string) []Rule {
	var rules []Rule
	for _, from := range t.Ports(link) {
		for _, to := range t.Ports(link) {
			rules = append(rules, t.Rules(from, to, link)...)
		}
	}
	return rules
}

// Port lists the directions from and to one machine on a link, none if it is not on it.
func (t Topo) Port(host, link string) []Rule {
	var rules []Rule
	for _, other := range t.Hosts() {
		if other.On(link) {
			rules = append(append(rules, t.Rules(host, other.Name, link)...), t.Rules(other.Name, host, link)...)
		}
	}
	return rules
}
