package subject

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/impl/node"
	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// TestAnUpgradedNodeRunsTheOtherProgram: it also keeps its other changes; its peer is unchanged.
func TestAnUpgradedNodeRunsTheOtherProgram(t *testing.T) {
	p, err := plan.Parse("s.scn", []byte("scenario s\ntopo pair clients=1 backends=2\nservice web tcp 198.18.0.100:80\n@0s end\n"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	devices := map[string]string{lab.Clients: "client0", lab.Backends: "backend0", lab.Sync: "sync0"}
	pair, err := Reference{}.Open(Lab{Plan: p, Devices: devices, Dir: dir, Baton: "/old", UpgradeTo: "/new"})
	if err != nil {
		t.Fatal(err)
	}
	defer pair.Close()
	for _, c := range []Change{{Backends: 1}, {Upgraded: true, Version: 1}} {
		if err := pair.Rewrite("lb2", c); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[string]struct {
		program, version string
		backends         int
	}{"lb1": {"/old", fmt.Sprint("version: ", node.Version), 2}, "lb2": {"/new", "version: 1", 1}} {
		command, err := pair.Command(id)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, id+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if command.Args[0] != want.program || !strings.Contains(string(text), want.version) || strings.Count(string(text), ":80") != want.backends {
			t.Errorf("%s runs %v with\n%s", id, command.Args, text)
		}
	}
}

// TestTheNewestProtocolIsTheNodes: scenarios can set the versions that a node supports.
func TestTheNewestProtocolIsTheNodes(t *testing.T) {
	if fault.NewestProtocol != node.Version {
		t.Errorf("a scenario knows version %d, a node %d", fault.NewestProtocol, node.Version)
	}
}

// TestARequestToANodeThatDoesNotRunSaysSo: the error names the node and the remedy, not a socket.
func TestARequestToANodeThatDoesNotRunSaysSo(t *testing.T) {
	p, err := plan.Parse("s.scn", []byte("scenario s\ntopo pair clients=1 backends=2\nservice web tcp 198.18.0.100:80\n@0s end\n"))
	if err != nil {
		t.Fatal(err)
	}
	devices := map[string]string{lab.Clients: "client0", lab.Backends: "backend0", lab.Sync: "sync0"}
	pair, err := Reference{}.Open(Lab{Plan: p, Devices: devices, Dir: t.TempDir(), Baton: "/old"})
	if err != nil {
		t.Fatal(err)
	}
	defer pair.Close()
	for verb, request := range map[string]func() (string, error){
		fault.Reload:   func() (string, error) { return pair.Reload(t.Context(), "lb2") },
		fault.Handover: func() (string, error) { return pair.Handover(t.Context(), "lb2") },
		fault.Mend:     func() (string, error) { return pair.Mend(t.Context(), "lb2") },
	} {
		if receipt, err := request(); err == nil || err.Error() != fault.NotListening("lb2") {
			t.Errorf("%s: %q, %v", verb, receipt, err)
		}
	}
}
