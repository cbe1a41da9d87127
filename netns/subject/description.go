package subject

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// description is the lab as JSON, for what does not fit into the environment of a node's
// commands.
type description struct {
	Node     string            `json:"node"`
	Peer     string            `json:"peer"`
	Number   int               `json:"number"` // 1 for lb1
	Links    map[string]port   `json:"links"`  // by clients, backends, sync
	Hosts    []machine         `json:"hosts"`  // both nodes, the clients, the backends
	Services []servicePort     `json:"services"`
	Options  map[string]string `json:"options"`
	// BackendVIP moves with the role: source in fullnat mode, gateway in dnat mode.
	BackendVIP string `json:"backend_vip"`
	// BackendVIP6 is the IPv6 one. Like all fields of IPv6 addresses it is absent in a lab without IPv6.
	BackendVIP6 string `json:"backend_vip6,omitempty"`
	DetectMS    int64  `json:"detect_ms"`
	// Settings has this node's value of each configuration key, in scenario syntax.
	Settings map[string]string `json:"settings"`
}

// port is a node's end of a link.
type port struct {
	Device string `json:"device"`
	IP     string `json:"ip"`
	Peer   string `json:"peer"`
	Prefix string `json:"prefix"` // the link's network

	IP6     string `json:"ip6,omitempty"`
	Peer6   string `json:"peer6,omitempty"`
	Prefix6 string `json:"prefix6,omitempty"`
}

type machine struct {
	Name      string            `json:"name"`
	Addresses map[string]string `json:"addresses"` // by link

	Addresses6 map[string]string `json:"addresses6,omitempty"`
}

type servicePort struct {
	Name  string `json:"name"`
	Proto string `json:"proto"`
	// Family is IPv4 or IPv6.
	Family string `json:"family"`
	VIP    string `json:"vip"`
	Port   int    `json:"port"`
	// Last is the last port of a range.
	Last int    `json:"last_port,omitempty"`
	Mode string `json:"mode"`
	// BackendFamily is the family of the backends' addresses if it differs from the VIP's.
	BackendFamily string `json:"backend_family,omitempty"`
}

// describe describes the lab from a node's point of view.
func describe(l Lab, node string, options map[string]string) description {
	topo := l.Plan.Lab()
	self, _ := topo.Host(node)
	peer, _ := topo.Host(lab.Peer(node))
	d := description{Node: node, Peer: peer.Name, Number: self.Number, Links: map[string]port{}, Options: options,
		BackendVIP: lab.IPv4.BackendVIP().String(), DetectMS: int64(l.Plan.Detect(plan.Netns) / time.Millisecond), Settings: map[string]string{}}
	for _, link := range lab.Links() {
		at := port{Device: l.Devices[link], IP: self.Addr(link, lab.IPv4).String(), Peer: peer.Addr(link, lab.IPv4).String(), Prefix: lab.IPv4.Subnet(link).String()}
		if topo.IPv6 {
			at.IP6, at.Peer6, at.Prefix6 = self.Addr(link, lab.IPv6).String(), peer.Addr(link, lab.IPv6).String(), lab.IPv6.Subnet(link).String()
		}
		d.Links[link] = at
	}
	if topo.IPv6 {
		d.BackendVIP6 = lab.IPv6.BackendVIP().String()
	}
	for _, h := range topo.Hosts() {
		m := machine{Name: h.Name, Addresses: map[string]string{}}
		for _, link := range h.Links() {
			m.Addresses[link] = h.Addr(link, lab.IPv4).String()
		}
		if topo.IPv6 {
			m.Addresses6 = map[string]string{}
			for _, link := range h.Links() {
				m.Addresses6[link] = h.Addr(link, lab.IPv6).String()
			}
		}
		d.Hosts = append(d.Hosts, m)
	}
	for _, s := range services(l.Plan) {
		at := servicePort{Name: s.Name, Proto: s.Proto, Family: s.Family().String(), VIP: s.VIP, Port: int(s.Port), Last: int(s.Last), Mode: s.Mode}
		if s.Across() {
			at.BackendFamily = s.BackendFamily().String()
		}
		d.Services = append(d.Services, at)
	}
	for _, key := range plan.Keys {
		if key.Name != plan.KeySubject && !key.Simulated {
			d.Settings[key.Name] = l.Plan.Value(plan.Netns, node, key.Name)
		}
	}
	return d
}

// services returns the plan's services in namespaces.
func services(p *plan.Plan) []plan.Service {
	var found []plan.Service
	for _, s := range p.Services {
		if s.Guard.In(plan.Netns) {
			found = append(found, s)
		}
	}
	return found
}

// write writes the description into a node's folder and returns the environment variable
// with its path.
func (d description) write(dir string) (variable string, err error) {
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return "", fmt.Errorf("subject: describe the lab: %w", err)
	}
	file := filepath.Join(dir, "lab.json")
	return "BATON_JSON=" + file, os.WriteFile(file, append(text, '\n'), 0o644)
}
