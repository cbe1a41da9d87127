package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton/impl/daemon/control"
	"baton/impl/node"
)

// pairStatus is what a node says of itself and of its peer.
func pairStatus(role string, epoch uint32, peer string, peerEpoch uint32) control.Status {
	return control.Status{Status: node.Status{Node: "lb1", Role: role, Epoch: epoch,
		Peer: node.PeerStatus{Node: "lb2", Known: peer != "", Role: peer, Epoch: peerEpoch}}}
}

// stagedNode answers with one status after the other; the last one stays.
type stagedNode struct {
	control.Node
	stages  []control.Status
	refuses error
	dies    bool // after the last status
}

func (n *stagedNode) Handover(context.Context) error { return n.refuses }

func (n *stagedNode) Status(context.Context) (control.Status, error) {
	now := n.stages[0]
	switch {
	case len(n.stages) > 1:
		n.stages = n.stages[1:]
	case n.dies:
		return now, errors.New("the node has left")
	}
	return now, nil
}

// The command ends well only if the peer serves.
func TestHandoverTellsWhoServes(t *testing.T) {
	before, yields := pairStatus("Master", 4, "Backup", 4), pairStatus("Yielding", 4, "Backup", 4)
	granted := pairStatus("Backup", 4, "Claiming", 4)
	for name, c := range map[string]struct {
		node *stagedNode
		out  string
		err  string
	}{
		"the peer serves":    {&stagedNode{stages: []control.Status{before, yields, granted, pairStatus("Backup", 4, "Master", 5)}}, "lb2 is MASTER, epoch 5\n", ""},
		"refused":            {&stagedNode{stages: []control.Status{before}, refuses: errors.New("the peer is not ready")}, "", "the peer is not ready"},
		"taken back":         {&stagedNode{stages: []control.Status{before, yields, pairStatus("Claiming", 4, "Backup", 4), pairStatus("Master", 5, "Backup", 4)}}, "", "lb2 has not taken the role: lb1 is Master again, epoch 5"},
		"given back":         {&stagedNode{stages: []control.Status{before, pairStatus("Master", 6, "Backup", 5)}}, "", "lb2 took the role, epoch 5, and gave it back: lb1 is Master again, epoch 6"},
		"the peer dies":      {&stagedNode{stages: []control.Status{before, yields, granted, pairStatus("Backup", 4, "", 4), pairStatus("Master", 5, "", 4)}}, "", "lb1 is Master again"},
		"the node dies":      {&stagedNode{stages: []control.Status{before, yields}, dies: true}, "", "its end is unknown"},
		"nobody serves":      {&stagedNode{stages: []control.Status{before, yields, granted}}, "", "lb1 is Backup, and of lb2 it knows that it is Claiming"},
		"a word from before": {&stagedNode{stages: []control.Status{before, pairStatus("Backup", 4, "Master", 3)}}, "", "nobody is known to serve"},
	} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "lb1.sock")
			server, err := control.Listen(socket, c.node)
			if err != nil {
				t.Fatal(err)
			}
			go server.Serve(t.Context())
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			client, err := control.Dial(ctx, socket)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			var out strings.Builder
			err = handOver(ctx, &out, client)
			if out.String() != c.out || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("printed %q and ended with %v, want %q and %q", out.String(), err, c.out, c.err)
			}
		})
	}
}

// An interrupt is no verdict on the pair.
func TestAnInterruptedHandoverIsInterrupted(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "lb1.sock")
	ctx, interrupt := context.WithCancel(t.Context())
	yields := pairStatus("Yielding", 4, "Backup", 4)
	server, err := control.Listen(socket, &interruptingNode{stagedNode{stages: []control.Status{pairStatus("Master", 4, "Backup", 4), yields}}, interrupt})
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(t.Context())
	client, err := control.Dial(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := handOver(ctx, io.Discard, client); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "nobody") {
		t.Errorf("the command ended with %v", err)
	}
}

// interruptingNode takes the request, and interrupts who sent it.
type interruptingNode struct {
	stagedNode
	interrupt func()
}

func (n *interruptingNode) Handover(ctx context.Context) error {
	time.AfterFunc(3*handoverEvery, n.interrupt)
	return n.stagedNode.Handover(ctx)
}
