package daemon

import (
	"net/netip"
	"strings"
	"testing"

	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
)

// edit changes a service of a node and returns the answer.
func (n *testNode) edit(t *testing.T, e config.Edit) (string, error) {
	t.Helper()
	client, err := control.Dial(t.Context(), n.Control)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	changes, err := client.Edit(t.Context(), e)
	return strings.Join(changes, "\n"), err
}

// mustEdit changes a service, and fails unless both nodes have the change.
func (n *testNode) mustEdit(t *testing.T, want string, e config.Edit) {
	t.Helper()
	if got, err := n.edit(t, e); err != nil || got != want+"\npeer "+n.Peer+" has the change" {
		t.Fatalf("%s: %q, %v, want %q\n%s", e.Verb, got, err, want, n.log.String())
	}
}

// serves reports whether the node has just these services, each as "name=backends", with
// a + if it was added, and a * if it was changed at run time.
func serves(want string) func(control.Status) bool {
	return func(s control.Status) bool {
		var all []string
		for _, service := range s.Services {
			word := service.Name + map[string]string{"added": "+", "changed": "*"}[service.Edited] + "="
			for _, b := range service.Backends {
				word += b.At[len("198.18.1."):len("198.18.1.11")]
			}
			all = append(all, word)
		}
		for _, name := range s.Deleted {
			all = append(all, "-"+name)
		}
		return strings.Join(all, " ") == want
	}
}

const apiText = "{name: api, proto: tcp, vip: 198.18.0.100, port: 81, mode: dnat, balance: maglev, snat: 198.18.1.100, backends: [198.18.1.11:80]}"

// TestServicesAreChangedAtRunTime: the BACKUP follows changes at the MASTER. They survive a
// takeover and a restart, until a reload.
func TestServicesAreChangedAtRunTime(t *testing.T) {
	p := newPair(t)
	p.start(t)
	lb1, lb2 := p.nodes[0], p.nodes[1]
	lb2.waitStatus(t, "following", func(s control.Status) bool { return s.Services[0].Backends[0].Follows })

	lb1.mustEdit(t, "service api: is new, tcp 198.18.0.100:81 with 1 backends", config.Edit{Verb: config.AddService, Text: apiText})
	lb1.mustEdit(t, "service web: backend 198.18.1.12:80 is new", config.Edit{Verb: config.AddBackend, Service: "web", Backend: backendTwo, Weight: 1})
	lb1.mustEdit(t, "service web: backend 198.18.1.12:80 has weight 3, was 1", config.Edit{Verb: config.SetBackend, Service: "web", Backend: backendTwo, Weight: 3})
	lb1.mustEdit(t, "service web: has a different health check", config.Edit{Verb: config.SetService, Service: "web", Text: "{check: {interval: 2s}}"})
	for _, n := range p.nodes {
		n.waitStatus(t, "serving what was changed", serves("web*=1112 api+=11"))
	}
	lb2.waitStatus(t, "following the new backends", func(s control.Status) bool {
		return s.Services[0].Backends[1].Follows && s.Services[1].Backends[0].Follows
	})
	if s := lb2.waitStatus(t, "BACKUP", is("Backup")); s.Services[0].Backends[1].Weight != 3 {
		t.Errorf("%+v", s.Services[0])
	}
	for _, tt := range []struct {
		node *testNode
		edit config.Edit
		want string
	}{
		{lb2, config.Edit{Verb: config.DelService, Service: "api"}, "this node follows the decisions of lb1, the MASTER; send the command to it"},
		{lb1, config.Edit{Verb: config.SetBackend, Service: "web", Backend: backendTwo}, "0 is out of range"},
		{lb1, config.Edit{Verb: config.AddService, Text: apiText}, `"api" names the service on`},
	} {
		if _, err := tt.node.edit(t, tt.edit); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.edit.Verb, err, tt.want)
		}
	}

	if err := lb1.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	lb1.wait(t)
	lb2.waitStatus(t, "MASTER after the other's crash", is("Master"))
	if got, err := lb2.edit(t, config.Edit{Verb: config.DelBackend, Service: "web", Backend: backendOne}); err != nil || !strings.Contains(got, "198.18.1.11:80 gets no new flows\npeer lb1 is not connected") {
		t.Errorf("without its peer: %q, %v", got, err)
	}
	lb1.start(t)
	lb1.waitStatus(t, "following what was changed", serves("web*=12 api+=11"))
	lb1.waitStatus(t, "in sync", syncedBackup)
	lb1.reload(t)
	lb1.waitStatus(t, "following after a reload", serves("web*=12 api+=11"))

	lb2.mustEdit(t, "service api: is gone", config.Edit{Verb: config.DelService, Service: "api"})
	lb1.waitStatus(t, "without the service", serves("web*=12"))
	lb2.reload(t)
	for _, n := range p.nodes {
		n.waitStatus(t, "as the file has it", serves("web=11"))
	}
}

// differingPair starts a pair in which the file of lb2 has one backend more, and waits until lb1 knows.
func differingPair(t *testing.T) (lb1, lb2 *testNode) {
	t.Helper()
	p := newPair(t)
	lb1, lb2 = p.nodes[0], p.nodes[1]
	lb2.Services[0].Backends = []netip.AddrPort{backendOne, backendTwo}
	lb2.writeConfig(t)
	p.start(t)
	lb1.waitStatus(t, "comparing", func(s control.Status) bool { return len(s.Peer.Differences) > 0 })
	return lb1, lb2
}

// TestAnEditIsRefusedWhereThePeerIsConfiguredOtherwise: until the files are equal.
func TestAnEditIsRefusedWhereThePeerIsConfiguredOtherwise(t *testing.T) {
	lb1, lb2 := differingPair(t)
	weight := config.Edit{Verb: config.SetBackend, Service: "web", Backend: backendOne, Weight: 2}
	if _, err := lb1.edit(t, weight); err == nil || !strings.Contains(err.Error(), "peer lb2 has a different configuration: web: backends; make the two files equal") {
		t.Errorf("%v", err)
	}
	lb1.waitStatus(t, "unchanged", serves("web=11"))
	lb1.mustEdit(t, "service api: is new, tcp 198.18.0.100:81 with 1 backends", config.Edit{Verb: config.AddService, Text: apiText})

	lb1.Services = lb2.Services
	lb1.writeConfig(t)
	lb1.reload(t)
	lb1.waitStatus(t, "as the file has it", serves("web=1112"))
	lb2.waitStatus(t, "as the file has it", serves("web=1112"))
	lb1.waitStatus(t, "equal", func(s control.Status) bool { return s.Peer.Compared && len(s.Peer.Differences) == 0 })
	lb1.mustEdit(t, "service web: backend 198.18.1.11:80 has weight 2, was 1", weight)
	lb1.mustEdit(t, "service web: backend 198.18.1.11:80 has weight 1, was 2", config.Edit{Verb: config.SetBackend, Service: "web", Backend: backendOne, Weight: 1})
}

// TestAChangeThatABackupRefusesIsAppliedLater, once its own file no longer conflicts with it. The other
// changes of the MASTER are followed meanwhile, and a takeover keeps them all.
func TestAChangeThatABackupRefusesIsAppliedLater(t *testing.T) {
	p := newPair(t)
	lb1, lb2 := p.nodes[0], p.nodes[1]
	other := lb2.Services[0]
	other.Name, other.Port = "other", config.Ports{First: 81}
	lb2.Services = append(lb2.Services, other)
	lb2.writeConfig(t)
	p.start(t)
	lb1.waitStatus(t, "comparing", func(s control.Status) bool { return len(s.Peer.Differences) > 0 })

	got, err := lb1.edit(t, config.Edit{Verb: config.AddService, Text: apiText}) // at the address of other
	if err != nil || !strings.Contains(got, "peer lb2 does not have the change: api: only here") {
		t.Errorf("%q, %v", got, err)
	}
	own := strings.NewReplacer("api", "own", "81", "82", "198.18.1.100", "198.18.1.2").Replace(apiText) // with an address of lb2's host
	if got, err = lb1.edit(t, config.Edit{Verb: config.AddService, Text: own}); err != nil || !strings.Contains(got, "peer lb2 does not have the change: own: only here") {
		t.Errorf("%q, %v", got, err)
	}
	lb1.mustEdit(t, "service web: backend 198.18.1.12:80 is new", config.Edit{Verb: config.AddBackend, Service: "web", Backend: backendTwo, Weight: 1})
	lb2.waitStatus(t, "without what it refuses", serves("web*=1112 other=11"))

	lb2.Services = lb2.Services[:1]
	lb2.writeConfig(t)
	lb2.reload(t)
	lb2.waitStatus(t, "following what it refused", serves("web*=1112 api+=11"))
	lb1.mustEdit(t, "service own: is gone", config.Edit{Verb: config.DelService, Service: "own"})
	if got, err = lb1.edit(t, config.Edit{Verb: config.AddService, Text: own}); err != nil || !strings.Contains(got, "peer lb2 does not have the change: own: only here") {
		t.Errorf("%q, %v", got, err)
	}
	if err := lb1.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	lb1.wait(t)
	lb2.waitStatus(t, "MASTER after the other's crash", is("Master"))
	lb2.waitStatus(t, "without what it refused", serves("web*=1112 api+=11"))
	fits := strings.NewReplacer("api", "own", "81", "82").Replace(apiText)
	if got, err = lb2.edit(t, config.Edit{Verb: config.AddService, Text: fits}); err != nil || !strings.Contains(got, "service own: is new") {
		t.Errorf("%q, %v", got, err)
	}
	lb2.waitStatus(t, "with its own change of what it refused", serves("web*=1112 api+=11 own+=11"))
	lb1.start(t)
	lb1.waitStatus(t, "following what was changed", serves("web*=1112 api+=11 own+=11"))
}

// TestTwoEditsOfOneServiceAtOnceAreBothMade: the second does not take the first, which the peer
// does not have yet, for a difference of the files.
func TestTwoEditsOfOneServiceAtOnceAreBothMade(t *testing.T) {
	p := newPair(t)
	p.start(t)
	lb1 := p.nodes[0]
	const many = 8
	failed := make(chan error, many)
	for i := range many {
		go func() {
			_, err := lb1.edit(t, config.Edit{Verb: config.AddBackend, Service: "web", Backend: netip.AddrPortFrom(backendOne.Addr(), uint16(90+i)), Weight: 1})
			failed <- err
		}()
	}
	for range many {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	for _, n := range p.nodes {
		n.waitStatus(t, "serving them all", func(s control.Status) bool { return len(s.Services[0].Backends) == 1+many })
	}
}

// TestAnEditWaitsForAReloadOfThePeer that makes the two files equal.
func TestAnEditWaitsForAReloadOfThePeer(t *testing.T) {
	lb1, lb2 := differingPair(t)
	lb2.Services[0].Backends = lb1.Services[0].Backends
	lb2.writeConfig(t)
	answered := make(chan error, 1)
	go func() {
		_, err := lb1.edit(t, config.Edit{Verb: config.AddBackend, Service: "web", Backend: backendTwo, Weight: 2})
		answered <- err
	}()
	lb2.reload(t)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	lb2.waitStatus(t, "following", serves("web*=1112"))
}
