package model_test

import (
	"encoding/binary"
	"testing"
	"time"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

// between returns a frame of a tuple, without the TCP or UDP checksum.
func between(t flow.Tuple, flags byte, seq, ack uint32) []byte {
	f := make([]byte, 54)
	copy(f, mac[:])
	copy(f[12:], []byte{8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, byte(t.Proto)})
	copy(f[26:], t.Src.Bytes())
	copy(f[30:], t.Dst.Bytes())
	sum := uint32(0)
	for i := 14; i < 34; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(f[i:]))
	}
	binary.BigEndian.PutUint16(f[24:], ^uint16(sum+sum>>16))
	binary.BigEndian.PutUint16(f[34:], t.SrcPort)
	binary.BigEndian.PutUint16(f[36:], t.DstPort)
	if t.Proto == flow.UDP {
		f[39] = 20
		return f
	}
	binary.BigEndian.PutUint32(f[38:], seq)
	binary.BigEndian.PutUint32(f[42:], ack)
	f[46], f[47] = 0x50, flags
	return f
}

// deferring is a model that defers replies, with a flow that has not been answered.
type deferring struct {
	*model.Dataplane
	t     *testing.T
	reply flow.Tuple
	sent  []uint64
}

func newDeferring(t *testing.T, proto flow.Proto) *deferring {
	cfg := config()
	cfg.Defer, cfg.Services[0].Proto = true, proto
	d := &deferring{t: t}
	var err error
	d.Dataplane, err = model.New(cfg, model.Host{ClientMAC: mac, BackendMAC: mac, MaxEvents: 8,
		Send: func(o model.Outcome) { d.sent = append(d.sent, o.Deferred) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Lease(clock.Never); err != nil {
		t.Fatal(err)
	}
	original := flow.Tuple{Src: client, SrcPort: 40000, Dst: vip, DstPort: 80, Proto: proto}
	if out := d.Packet(1, "client0", between(original, 0x02, 100, 0)); out.Verdict != model.Forward {
		t.Fatalf("the first packet: %+v", out)
	}
	e, _, err := d.Lookup(original)
	if err != nil {
		t.Fatal(err)
	}
	d.reply = e.Reply
	return d
}

// answers makes the backend answer and returns the outcome.
func (d *deferring) answers() model.Outcome {
	return d.Packet(clock.Instant(time.Millisecond), "backend0", between(d.reply, 0x12, 500, 101))
}

func (d *deferring) want(what string, got, want model.Verdict) {
	d.t.Helper()
	if got != want {
		d.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// TestEverySYNACKOfAnOpeningFlowIsDeferred: retransmissions too, since the client may not have got the first.
func TestEverySYNACKOfAnOpeningFlowIsDeferred(t *testing.T) {
	d := newDeferring(t, flow.TCP)
	d.want("SYN-ACK", d.answers().Verdict, model.Defer)
	d.want("SYN-ACK again", d.answers().Verdict, model.Defer)
	ack := flow.Tuple{Src: client, SrcPort: 40000, Dst: vip, DstPort: 80, Proto: flow.TCP}
	d.want("ACK", d.Packet(2, "client0", between(ack, 0x10, 101, 501)).Verdict, model.Forward)
	d.want("SYN-ACK of an established flow", d.answers().Verdict, model.Forward)
}

// TestUDPRepliesAreDeferredUntilOneIsSent: no reply overtakes the first.
func TestUDPRepliesAreDeferredUntilOneIsSent(t *testing.T) {
	d := newDeferring(t, flow.UDP)
	first, second := d.answers(), d.answers()
	d.want("first", first.Verdict, model.Defer)
	d.want("second", second.Verdict, model.Defer)
	d.Discard([]uint64{first.Deferred})
	d.want("third, with none sent", d.answers().Verdict, model.Defer)
	if err := d.Release([]uint64{first.Deferred, second.Deferred}); err != nil {
		t.Fatal(err)
	}
	if len(d.sent) != 1 || d.sent[0] != second.Deferred {
		t.Errorf("sent %v, want %d alone", d.sent, second.Deferred)
	}
	d.want("fourth", d.answers().Verdict, model.Forward)
}

// TestNothingIsDeferredIntoAFullRing: events take precedence in the ring.
func TestNothingIsDeferredIntoAFullRing(t *testing.T) {
	d := newDeferring(t, flow.UDP)
	for range 3 {
		d.want("with room", d.answers().Verdict, model.Defer)
	}
	d.want("half full", d.answers().Verdict, model.Forward)
	if c, _ := d.Counters(); c.Deferred != 3 || c.Undeferred != 1 {
		t.Errorf("deferred %d and not deferred %d, want 3 and 1", c.Deferred, c.Undeferred)
	}
	var order []bool
	if _, err := d.Poll(dataplane.AllPending, func(e flow.Event) { order = append(order, e.Deferred.ID != 0) }); err != nil {
		t.Fatal(err)
	}
	if len(order) != 5 || order[0] || !order[1] || order[4] {
		t.Errorf("deferred events %v: the flow's comes first", order)
	}
}
