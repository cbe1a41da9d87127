package bpf

import (
	"testing"

	"pgregory.net/rapid"

	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// turningConfig is testConfig with services that take SNAT ports in turn.
func turningConfig() dataplane.Config {
	cfg := testConfig()
	cfg.SNATTurn = 0x7123456789abcdef
	return cfg
}

// TestProgramsFollowTheModelWithPortsInTurn: both try the same ports, in any sequence of events.
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

// TestOldConnectionsOfABackendAreSkipped: a backend that answers a SYN with a challenge ACK still has an old
// connection from that port, and probably more from the next ports. A RST that refuses the SYN, a SYN-ACK, or
// an ACK of an open connection does not count as such an answer.
func TestOldConnectionsOfABackendAreSkipped(t *testing.T) {
	cfg := turningConfig()
	cfg.SNATPorts, cfg.SNATPeer = dataplane.PortRange{First: 20000, Last: 20159}, dataplane.PortRange{First: 20160, Last: 20319}
	cfg.MaxFlows = 1024
	service := labService(flow.TCP, poolPort, dataplane.FullNAT, dataplane.RoundRobin, 8080)
	cfg.Services = []dataplane.Service{service}
	const skip = 160 / 16
	eachSubject(t, cfg, func(t *testing.T, s subject) {
		if err := s.Lease(origin + 1e12); err != nil {
			t.Fatal(err)
		}
		opened := 0
		open := func() flow.Entry {
			t.Helper()
			opened++
			original := toVIP(flow.TCP, uint16(30000+opened), poolPort)
			fate(t, s, "client0", withNumbers(fromClient(original, syn), clientISN, 0))
			e, found, err := s.Lookup(original)
			if err != nil || !found {
				t.Fatalf("flow %d: %v, %v", opened, found, err)
			}
			return e
		}
		port := func(e flow.Entry) int { return int(e.Reply.DstPort - cfg.SNATPorts.First) }
		last := open()
		for _, tt := range []struct {
			what  string
			flags int
			ack   uint32
			ahead int // of the next port
			again int // of the port after that, if a challenge ACK follows
		}{
			{"a RST that refuses another SYN", rst | ack, 88888, 1, 1 + skip},
			{"a SYN-ACK", syn | ack, clientISN + 1, 1, 1},
			{"an ACK of the SYN", ack, clientISN + 1, 1, 1},
			{"a RST that refuses", rst | ack, clientISN + 1, 1, 1},
			{"an ACK of another connection", ack, 77777, 1 + skip, 1},
			{"one with data", ack | psh, 66666, 1 + skip, 1},
		} {
			fate(t, s, "backend0", withNumbers(fromBackend(last.Reply, tt.flags), 5000, tt.ack))
			next := open()
			if got := (port(next) - port(last) + 160) % 160; got != tt.ahead {
				t.Errorf("after %s the next port is %d ahead, want %d", tt.what, got, tt.ahead)
			}
			fate(t, s, "backend0", withNumbers(fromBackend(last.Reply, ack), 5000, 55555))
			if last = open(); (port(last)-port(next)+160)%160 != tt.again {
				t.Errorf("after %s and an ACK of another connection the next port is %d ahead, want %d", tt.what, port(last)-port(next), tt.again)
			}
		}
	})
}

// TestAPortRestsUntilAllOthersHadTheirTurn: for each backend, over all SNAT addresses. Ports in use
// are skipped, and a run of used ports does not keep a flow from finding a free one. Maglev's flows
// try ports in the order of their hash, which the peer knows.
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
