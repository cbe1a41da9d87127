package daemon

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"baton/impl/catalog"
	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
	"baton/impl/flow"
)

func TestEntriesThatTheConfigurationLacksAreCounted(t *testing.T) {
	s := checkedService(config.TCP)
	var u unserved
	u.configure(&config.Config{Services: []config.Service{s}})
	of := func(port uint16, backend netip.AddrPort) flow.Entry {
		e := flow.Entry{Original: flow.Tuple{Dst: flow.AddrFrom(s.VIP), DstPort: port, Proto: flow.TCP}}
		e.Reply.Src, e.Reply.SrcPort = flow.AddrFrom(backend.Addr()), backend.Port()
		return e
	}
	gone := netip.MustParseAddrPort("198.18.1.19:80")
	u.count([]flow.Entry{of(80, backendOne), of(81, backendOne), of(80, gone), of(80, gone), of(80, backendTwo)})
	if got := u.snapshot(); got[unknownService] != 1 || got[unknownBackend] != 2 {
		t.Errorf("%v", got)
	}
}

// TestEntriesOfARangeAreKnownByEachOfItsPorts: the backends of a range keep a flow's port.
func TestEntriesOfARangeAreKnownByEachOfItsPorts(t *testing.T) {
	s := checkedService(config.TCP)
	s.Port, s.Backends = config.Ports{First: 80, Last: 89}, []netip.AddrPort{netip.AddrPortFrom(backendOne.Addr(), 0)}
	var u unserved
	u.configure(&config.Config{Services: []config.Service{s}})
	of := func(port uint16, backend netip.Addr) flow.Entry {
		e := flow.Entry{Original: flow.Tuple{Dst: flow.AddrFrom(s.VIP), DstPort: port, Proto: flow.TCP}, State: flow.SynSent}
		e.Reply.Src, e.Reply.SrcPort = flow.AddrFrom(backend), port
		return e
	}
	here, gone, beyond := of(85, backendOne.Addr()), of(89, backendTwo.Addr()), of(90, backendOne.Addr())
	u.count([]flow.Entry{here, gone, beyond})
	if got := u.snapshot(); got[unknownService] != 1 || got[unknownBackend] != 1 {
		t.Errorf("%v", got)
	}
	for e, want := range map[flow.Entry]bool{here: true, gone: false, beyond: false} {
		if got := leaves(u.services.Of(&e.Original), e, []leaving{{s, s.Backends[0]}}); got != want {
			t.Errorf("%v leaves its backend: %v, want %v", e.Original, got, want)
		}
	}
}

// TestAPeerThatIsConfiguredOtherwiseIsNamed: on both nodes, until reloads fix it. The table
// stays in sync.
func TestAPeerThatIsConfiguredOtherwiseIsNamed(t *testing.T) {
	p := newPair(t)
	lb1, lb2 := p.nodes[0], p.nodes[1]
	lb2.Services[0].Backends = append(lb2.Services[0].Backends, backendTwo)
	extra := lb2.Services[0]
	extra.Name, extra.Port, extra.Balance = "api", config.Ports{First: 8080}, config.Maglev
	lb2.Services = append(lb2.Services, extra)
	lb2.writeConfig(t)
	p.start(t)

	named := func(want string) func(control.Status) bool {
		return func(s control.Status) bool {
			return catalog.Words(s.Peer.Differences) == want && s.Peer.Compared && (want == "" ||
				slices.ContainsFunc(s.Alarms, func(a string) bool { return strings.HasSuffix(a, " has a different configuration: "+want) }))
		}
	}
	lb1.waitStatus(t, "sees the peer's services", named("api: only at the peer; web: backends"))
	lb2.waitStatus(t, "sees the peer's services", named("api: only here; web: backends"))
	lb2.waitStatus(t, "BACKUP and in sync", syncedBackup)
	lb1.awaitLog(t, "peer lb2 has a different configuration: api: only at the peer")
	lb1.scrape(t, `baton_peer_services_compared 1`, `baton_peer_service_differs{service="web",what="backends"} 1`,
		`baton_peer_service_differs{service="api",what="only at the peer"} 1`)

	lb1.Services = lb2.Services
	lb1.writeConfig(t)
	lb1.reload(t)
	lb1.waitStatus(t, "sees the same services", named(""))
	lb2.waitStatus(t, "sees the same services", named(""))
}
