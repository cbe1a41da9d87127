package subject

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"

	"baton/impl/daemon/config"
	"baton/impl/daemon/pki"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// syncPort is the port of the connection sync stream.
const syncPort = 3790

// writeNodeConfig writes a reference node's configuration for the plan into the lab's
// folder and returns its path.
func writeNodeConfig(l Lab, node string, files pki.Files, pin string, c Change) (string, error) {
	base := nodeConfig(l, node, files)
	base.Pin = pin
	for i, s := range base.Services {
		if c.Backends > 0 {
			base.Services[i].Backends = s.Backends[:min(c.Backends, len(s.Backends))]
		}
	}
	data, err := base.Marshal()
	if err != nil {
		return "", fmt.Errorf("subject: configuration of %s: %w", node, err)
	}
	if data, err = overlay(data, l.Plan, node, c); err != nil {
		return "", fmt.Errorf("subject: configuration of %s: %w", node, err)
	}
	file := filepath.Join(l.Dir, node+".yaml")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		return "", fmt.Errorf("subject: configuration of %s: %w", node, err)
	}
	return file, nil
}

// nodeConfig returns the part that follows from the plan's topology and services.
func nodeConfig(l Lab, node string, files pki.Files) *config.Config {
	p, topo, peer := l.Plan, l.Plan.Topo.Lab(), lab.Peer(node)
	address := func(host, link string) netip.Addr {
		h, _ := topo.Host(host)
		return h.Addr(link, lab.IPv4)
	}
	path := func(link string) config.Path {
		return config.Path{Name: link, Link: l.Devices[link], Local: address(node, link), Peer: address(peer, link)}
	}
	c := config.Default()
	c.Node, c.Peer = node, peer
	c.Links = config.Links{Client: l.Devices[lab.Clients], Backend: l.Devices[lab.Backends]}
	c.BFD.Paths = []config.Path{path(lab.Clients), path(lab.Sync)}
	c.BFD.Secret = files.Secret
	c.Sync = config.Sync{
		Local: netip.AddrPortFrom(address(node, lab.Sync), syncPort),
		Peer:  netip.AddrPortFrom(address(peer, lab.Sync), syncPort),
		CA:    files.CA, Cert: files.Cert, Key: files.Key,
	}
	c.Control = node + ".sock"
	reached := func(host string) netip.Addr {
		link := lab.Clients
		if h, _ := topo.Host(host); h.Kind == lab.Backend {
			link = lab.Backends
		}
		return address(host, link)
	}
	for _, host := range p.Targets(plan.Netns, node) {
		c.Track.Targets = append(c.Track.Targets, reached(host))
	}
	if gateway := p.Gateway(plan.Netns, node); gateway != "" {
		every, misses := p.Probes(plan.Netns, node)
		c.Arbiter = config.Arbiter{Gateway: config.Address{Addr: reached(gateway)}, Every: config.Duration(every), Rise: misses, Fall: misses}
	}
	c.Services = nodeServices(p, topo)
	return &c
}

func nodeServices(p *plan.Plan, topo lab.Topo) (services []config.Service) {
	for _, s := range servicesOf(p) {
		services = append(services, nodeService(s, topo))
	}
	return services
}

// servicesOf returns the plan's services in namespaces.
func servicesOf(p *plan.Plan) (services []plan.Service) {
	for _, s := range p.Services {
		if s.Guard.In(plan.Netns) {
			services = append(services, s)
		}
	}
	return services
}

func nodeService(s plan.Service, topo lab.Topo) config.Service {
	service := config.Service{
		Name: s.Name, Proto: config.Proto(s.Proto), VIP: netip.MustParseAddr(s.VIP), Port: config.Ports{First: s.Port, Last: s.Last},
		Mode: config.Mode(s.Mode), Balance: config.Balance(s.Balance), Affinity: config.Duration(s.Affinity),
	}
	if !s.Direct() {
		service.SNAT, service.SNATPool = config.Address{Addr: s.Family().BackendVIP()}, snatPool(s)
	}
	for _, backend := range topo.Members(lab.Backends) {
		service.Backends = append(service.Backends, netip.AddrPortFrom(backend.Addr(lab.Backends, s.BackendFamily()), s.BackendPort()))
	}
	return service
}

// snatPool returns the SNAT addresses of a service after the first.
func snatPool(s plan.Service) (pool []config.AddrRange) {
	for _, a := range s.Family().BackendVIPs(s.SNAT)[1:] {
		pool = append(pool, config.AddrRange{First: a, Last: a})
	}
	return pool
}

// overlay sets the plan's configuration keys for the node. A key is a path into the file, so a new key needs
// no code here.
func overlay(data []byte, p *plan.Plan, node string, c Change) ([]byte, error) {
	var tree map[string]any
	if err := yaml.Unmarshal(data, &tree); err != nil {
		return nil, err
	}
	for _, key := range plan.Keys {
		value := p.Value(plan.Netns, node, key.Name)
		if value == "" || key.Hosts || key.Simulated || key.Name == plan.KeySubject || key.Name == plan.KeyPin {
			continue // unset, or written by nodeConfig
		}
		var parsed any
		if err := yaml.Unmarshal([]byte(value), &parsed); err != nil {
			return nil, fmt.Errorf("%s=%s: %w", key.Name, value, err)
		}
		set(tree, strings.Split(key.Name, "."), parsed)
	}
	if c.Version > 0 {
		set(tree, []string{"sync", "version"}, c.Version)
	}
	return yaml.Marshal(tree)
}

func set(tree map[string]any, path []string, value any) {
	for ; len(path) > 1; path = path[1:] {
		inner, ok := tree[path[0]].(map[string]any)
		if !ok {
			inner = map[string]any{}
			tree[path[0]] = inner
		}
		tree = inner
	}
	tree[path[0]] = value
}
