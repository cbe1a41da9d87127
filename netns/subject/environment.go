package subject

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// Variable is an environment variable of every command of an adapter.
type Variable struct{ Name, Doc string }

// Variables lists them.
var Variables = []Variable{
	{"BATON_NODE", "the node: lb1 or lb2"},
	{"BATON_PEER", "the other node"},
	{"BATON_NUMBER", "1 for lb1, 2 for lb2"},
	{"BATON_DIR", "the node's folder in the results, for configurations and logs that are kept"},
	{"BATON_ADAPTER_DIR", "the folder of the adapter file, where configurations of your own may lie"},
	{"BATON_CLIENT_DEV", "the device towards the clients; BATON_BACKEND_DEV, BATON_SYNC_DEV those towards the backends and the peer"},
	{"BATON_CLIENT_IP", "the node's own address there; likewise BATON_BACKEND_IP, BATON_SYNC_IP"},
	{"BATON_CLIENT_PEER", "the peer's address there; likewise BATON_BACKEND_PEER, BATON_SYNC_PEER"},
	{"BATON_VIPS", "the services' IPv4 VIPs, with the length of their prefix: 198.18.0.100/24"},
	{"BATON_BACKEND_VIP", "the address towards the backends that moves with the role: source in fullnat mode, gateway in dnat mode"},
	{"BATON_SERVICES", "one service a line: NAME PROTOCOL VIP PORT MODE"},
	{"BATON_BACKENDS", "the backends' addresses"},
	{"BATON_VIPS6", "the services' IPv6 VIPs; likewise BATON_CLIENT_IP6, BATON_CLIENT_PEER6, those of the other devices, BATON_BACKEND_VIP6 and BATON_BACKENDS6. Empty in a scenario without an IPv6 service"},
	{"BATON_DETECT_MS", "the detection time of the scenario in milliseconds"},
	{"BATON_PRIORITY", "ha.priority of the node: the higher is preferred"},
	{"BATON_JSON", "a file with all of this and more as JSON: links, hosts, services, options, timers and every setting"},
	{"BATON_RULESET", "an nftables ruleset that translates the services; its chain local is empty"},
	{"BATON_CONNTRACKD", "a configuration of conntrackd that replicates over the sync link; it wants a private /run"},
	{"BATON_OPTION_NAME", "the value of each option of the adapter, its name in capitals"},
}

// environment returns the environment of a node's commands.
func environment(l Lab, node, dir string, options map[string]string) []string {
	peer, topo := lab.Peer(node), l.Plan.Topo.Lab()
	self, _ := topo.Host(node)
	other, _ := topo.Host(peer)
	env := []string{"BATON_NODE=" + node, "BATON_PEER=" + peer, fmt.Sprintf("BATON_NUMBER=%d", self.Number), "BATON_DIR=" + dir}
	for _, link := range lab.Links() {
		env = append(env, sideOf(link)+"_DEV="+l.Devices[link])
	}
	for f := lab.IPv4; f < lab.Families; f++ {
		env = append(env, addresses(l, f, self, other)...)
	}
	var lines []string
	for _, s := range services(l.Plan) {
		lines = append(lines, fmt.Sprintf("%s %s %s %d %s", s.Name, s.Proto, s.VIP, s.Port, s.Mode))
	}
	env = append(env, "BATON_SERVICES="+strings.Join(lines, "\n"), fmt.Sprintf("BATON_DETECT_MS=%d", l.Plan.Detect(plan.Netns)/time.Millisecond), "BATON_PRIORITY="+l.Plan.Value(plan.Netns, node, "ha.priority"))
	for name, value := range options { // order does not matter: a set
		env = append(env, "BATON_OPTION_"+strings.ToUpper(name)+"="+value)
	}
	return env
}

// sideOf is the prefix of a link's variables.
func sideOf(link string) string { return "BATON_" + strings.ToUpper(strings.TrimSuffix(link, "s")) }

// addresses returns the variables of a family, whose names end in 6 for IPv6. They are empty
// in a lab without it.
func addresses(l Lab, f lab.Family, self, other lab.Host) (env []string) {
	topo, six := l.Plan.Lab(), ""
	if f == lab.IPv6 {
		six = "6"
	}
	set := func(name string, values ...string) {
		if !slices.Contains(topo.Families(), f) {
			values = nil
		}
		env = append(env, name+six+"="+strings.Join(values, " "))
	}
	for _, link := range lab.Links() {
		set(sideOf(link)+"_IP", self.Addr(link, f).String())
		set(sideOf(link)+"_PEER", other.Addr(link, f).String())
	}
	var vips, backends []string
	for _, s := range services(l.Plan) {
		if vip := within(netip.MustParseAddr(s.VIP), lab.Clients); s.Family() == f && !slices.Contains(vips, vip) {
			vips = append(vips, vip)
		}
	}
	for _, b := range topo.Members(lab.Backends) {
		backends = append(backends, b.Addr(lab.Backends, f).String())
	}
	set("BATON_VIPS", vips...)
	set("BATON_BACKENDS", backends...)
	set("BATON_BACKEND_VIP", within(f.BackendVIP(), lab.Backends))
	return env
}

// within formats an address with the prefix length of its link.
func within(a netip.Addr, link string) string {
	return netip.PrefixFrom(a, lab.FamilyOf(a).Subnet(link).Bits()).String()
}
