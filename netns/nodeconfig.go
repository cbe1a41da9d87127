package netns

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"baton/impl/daemon/config"
	"baton/impl/daemon/pki"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// The backend-side VIP of every service: source of fullnat flows, gateway of dnat backends.

// syncPort is the port of the connection sync stream.
const syncPort = 3790

// writeNodeConfig writes the configuration of a node of the pair as the plan wants
// it into dir, and returns its path.
func writeNodeConfig(p *plan.Plan, pair *Pair, node, dir string, files pki.Files) (string, error) {
	base := nodeConfig(p, pair, node, files)
	data, err := base.Marshal()
	if err != nil {
		return "", fmt.Errorf("netns: configuration of %s: %w", node, err)
	}
	if data, err = overlay(data, p, node); err != nil {
		return "", fmt.Errorf("netns: configuration of %s: %w", node, err)
	}
	file := filepath.Join(dir, node+".yaml")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		return "", fmt.Errorf("netns: configuration of %s: %w", node, err)
	}
	return file, nil
}

// nodeConfig is what follows from the topology and the services of the plan.
func nodeConfig(p *plan.Plan, pair *Pair, node string, files pki.Files) *config.Config {
	peer := lab.Peer(node)
	address := func(host, link string) netip.Addr {
		i, _ := pair.Host(host).Interface(link)
		return i.Addr.Addr()
	}
	path := func(name, link, device string) config.Path {
		return config.Path{Name: name, Link: device, Local: address(node, link), Peer: address(peer, link)}
	}
	c := config.Default()
	c.Node, c.Peer = node, peer
	c.Links = config.Links{Client: ClientSide, Backend: BackendSide}
	c.BFD.Paths = []config.Path{
		path(lab.Clients, lab.Clients, ClientSide),
		path(lab.Sync, lab.Sync, SyncSide),
	}
	c.BFD.Secret = files.Secret
	c.Sync = config.Sync{
		Local: netip.AddrPortFrom(address(node, lab.Sync), syncPort),
		Peer:  netip.AddrPortFrom(address(peer, lab.Sync), syncPort),
		CA:    files.CA, Cert: files.Cert, Key: files.Key,
	}
	c.Control = node + ".sock"
	for _, host := range p.Targets(plan.Netns, node) {
		link := lab.Clients
		if slices.Contains(pair.Names(RoleBackend), host) {
			link = lab.Backends
		}
		c.Track.Targets = append(c.Track.Targets, address(host, link))
	}
	for _, s := range p.Services {
		if s.Guard.In(plan.Netns) {
			c.Services = append(c.Services, nodeService(s, pair, address))
		}
	}
	return &c
}

func nodeService(s plan.Service, pair *Pair, address func(host, link string) netip.Addr) config.Service {
	service := config.Service{
		Name: s.Name, Proto: config.Proto(s.Proto), VIP: netip.MustParseAddr(s.VIP), Port: s.Port,
		Mode: config.Mode(s.Mode), Balance: config.Balance(s.Balance), SNAT: lab.BackendVIP(),
	}
	for _, backend := range pair.Names(RoleBackend) {
		service.Backends = append(service.Backends, netip.AddrPortFrom(address(backend, lab.Backends), s.Port))
	}
	return service
}

// overlay sets the plan's keys for the node. They are paths into the file, so that
// a key that the plan learns needs no code here.
func overlay(data []byte, p *plan.Plan, node string) ([]byte, error) {
	var tree map[string]any
	if err := yaml.Unmarshal(data, &tree); err != nil {
		return nil, err
	}
	for _, key := range plan.Keys {
		value := p.Value(plan.Netns, node, key.Name)
		if value == "" || key.Hosts {
			continue // none, or written with what follows from the topology
		}
		var parsed any
		if err := yaml.Unmarshal([]byte(value), &parsed); err != nil {
			return nil, fmt.Errorf("%s=%s: %w", key.Name, value, err)
		}
		set(tree, strings.Split(key.Name, "."), parsed)
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
