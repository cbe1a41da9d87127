package daemon

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/daemon/control"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// SIGHUP and the control socket make a MASTER reload services. An invalid change changes
// nothing. The node keeps its role throughout.
func TestReload(t *testing.T) {
	p := newPair(t)
	p.start(t)
	n := p.nodes[0]
	before, err := n.status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	client, err := control.Dial(context.Background(), n.Control)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	n.Services[0].Backends = append(n.Services[0].Backends, netip.MustParseAddrPort("198.18.1.12:80"))
	n.writeConfig(t)
	changes, err := client.Reload(ctx)
	if err != nil || len(changes) != 1 || changes[0] != "service web: backend 198.18.1.12:80 is new" {
		t.Errorf("changes %q, %v", changes, err)
	}
	if changes, err := client.Reload(ctx); err != nil || len(changes) > 0 {
		t.Errorf("once more: changes %q, %v", changes, err)
	}

	n.Services[0].Backends = n.Services[0].Backends[1:]
	n.writeConfig(t)
	if err := n.cmd.Process.Signal(unix.SIGHUP); err != nil {
		t.Fatal(err)
	}
	n.awaitLog(t, "service web: backend 198.18.1.11:80 gets no new flows")

	n.HA.Priority++
	n.writeConfig(t)
	var refused *control.Refused
	if _, err := client.Reload(ctx); !errors.As(err, &refused) || !strings.Contains(refused.Why, "ha: has changed") {
		t.Errorf("another priority: %v", err)
	}
	if err := n.cmd.Process.Signal(unix.SIGHUP); err != nil {
		t.Fatal(err)
	}
	n.awaitLog(t, "reload refused: nothing has changed")
	n.keepsServing(t, before)
}

// reload makes a node reload its file and returns the changes.
func (n *testNode) reload(t testing.TB) []string {
	t.Helper()
	client, err := control.Dial(t.Context(), n.Control)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	changes, err := client.Reload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// awaitLog waits for a text in a node's log.
func (n *testNode) awaitLog(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(n.log.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not say %q:\n%s", n.Node, text, n.log.String())
		}
	}
}

func TestServiceChangesAreLines(t *testing.T) {
	service := func(name string, port uint16, backends ...byte) dataplane.Service {
		s := dataplane.Service{Service: flow.Service{VIP: flow.IPv4(198, 18, 0, 100), Port: port, Proto: flow.TCP}, Name: name, Mode: dataplane.FullNAT, Balance: dataplane.RoundRobin}
		for _, b := range backends {
			s.Backends = append(s.Backends, dataplane.Backend{Addr: flow.IPv4(198, 18, 1, b), Port: 80})
		}
		return s
	}
	was := []dataplane.Service{service("web", 80, 11, 12), service("old", 81, 11)}
	is := []dataplane.Service{service("web", 8080, 12, 13), service("new", 82, 11)}
	want := []string{
		"service web: is tcp 198.18.0.100:8080 fullnat rr, was tcp 198.18.0.100:80 fullnat rr",
		"service web: backend 198.18.1.13:80 is new",
		"service web: backend 198.18.1.11:80 gets no new flows",
		"service new: is new, tcp 198.18.0.100:82 with 1 backends",
		"service old: is gone",
	}
	if got := strings.Join(serviceChanges(was, is), "\n"); got != strings.Join(want, "\n") {
		t.Errorf("%s", got)
	}
	if same := serviceChanges(was, was); len(same) > 0 {
		t.Errorf("the same: %q", same)
	}
}
