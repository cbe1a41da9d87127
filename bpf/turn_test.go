package bpf

import (
	"testing"

	"pgregory.net/rapid"

	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// turningConfig is testConfig with SNAT ports that services take in turn.
func turningConfig() dataplane.Config {
	cfg := testConfig()
	cfg.SNATTurn = 0x7123456789abcdef
	return cfg
}

// TestProgramsFollowTheModelWithPortsInTurn: they try the same ports, whatever happens in between.
func TestProgramsFollowTheModelWithPortsInTurn(t *testing.T) {
	cfg, reached := turningConfig(), reach{}
	programs, specification := newProgramSubject(t, cfg), newModelSubject(t, cfg)
	moved := false
	rapid.Check(t, func(t *rapid.T) {
		followTheModel(t, programs, specification, reached)
		begun := model.PortTurns(cfg.SNATTurn)
		now := begun
		if err := programs.v4().objs.PortTurns.Get(&now); err != nil {
			t.Fatal(err)
		}
		moved = moved || now != begun
	})
	if !moved {
		t.Error("no flow took its port in turn")
	}
}

// TestAPortRestsUntilAllOthersHadTheirTurn: of each backend, over all SNAT addresses. Ports in
// use lose their turn, and neighbours in use do not keep a flow from finding a port. Flows
// of maglev keep an order of their own, which the peer knows.
func TestAPortRestsUntilAllOthersHadTheirTurn(t *testing.T) {
	cfg := turningConfig()
	cfg.MaxFlows = 1024
	cfg.SNATPorts, cfg.SNATPeer = dataplane.PortRange{First: 20000, Last: 20049}, dataplane.PortRange{First: 20050, Last: 20099}
	turning, resumable := poolService(), poolService()
	turning.Backends = append(turning.Backends, dataplane.Backend{Addr: address(backendAddr), Port: 8081})
	resumable.Port, resumable.Balance = affinePort, dataplane.Maglev
	resumable.Backends = []dataplane.Backend{{Addr: address(backendAddr), Port: 8082}}
	cfg.Services = []dataplane.Service{turning, resumable}
	eachSubject(t, cfg, func(t *testing.T, s subject) {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(s.Lease(origin + 1e12))
		opened := 0
		open := func(service uint16) flow.Entry {
			t.Helper()
			opened++
			original := toVIP(flow.UDP, uint16(30000+opened), service)
			fate(t, s, "client0", fromClient(original, 0))
			e, found, err := s.Lookup(original)
			if must(err); !found {
				t.Fatalf("flow %d found no port", opened)
			}
			return e
		}
		const ports = 2 * 50 // of two addresses
		perBackend := map[uint16][]flow.Tuple{}
		var first []flow.Entry
		for range 2 * ports {
			e := open(poolPort)
			perBackend[e.Reply.SrcPort] = append(perBackend[e.Reply.SrcPort], e.Reply)
			first = append(first, e)
		}
		for backend, replies := range perBackend {
			used := map[flow.Tuple]bool{}
			for _, r := range replies {
				used[r] = true
			}
			if len(replies) != ports || len(used) != ports {
				t.Errorf("backend %d: %d flows had %d ports of %d", backend, len(replies), len(used), ports)
			}
		}
		// The first half of the flows ends, so the next turn meets 50 ports that are free.
		var ended []flow.Tuple
		for _, e := range first[:ports] {
			ended = append(ended, e.Original)
		}
		must(s.Delete(ended))
		for i := range ports {
			e := open(poolPort)
			if want := perBackend[e.Reply.SrcPort][i/2]; e.Reply != want {
				t.Fatalf("flow %d of the second turn has %v, want the port that has rested longest, %v", i, e.Reply, want)
			}
		}
		// Of the ports whose turn it is now, 20 are in use and 30 behind them are free.
		ended = nil
		for _, e := range first[2*70:] {
			ended = append(ended, e.Original)
		}
		must(s.Delete(ended))
		for range 2 {
			open(poolPort)
		}
		e := open(affinePort)
		hash := model.Hash(e.Original) ^ cfg.SNATSeed
		if want := model.SNATPort(cfg.SNATPorts, hash, 0); e.Reply.DstPort != want {
			t.Errorf("a flow that the peer can resume has port %d, want the first of its own order, %d", e.Reply.DstPort, want)
		}
	})
}
