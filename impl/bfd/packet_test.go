package bfd

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// vector is a control packet written out by hand after RFC 5880 section 4.1:
// version 1, diag 3, state Init, P, mult 3, length 24, two discriminators, and
// intervals of 50000, 100000 and 0 microseconds.
const vector = "23" + "a0" + "03" + "18" + "01020304" + "0a0b0c0d" + "0000c350" + "000186a0" + "00000000"

// TestRFC5880_4_1_PacketFormat compares the codec with a packet encoded by hand.
//
// Conformance: RFC 5880 6.8.7/12 4.1/1
func TestRFC5880_4_1_PacketFormat(t *testing.T) {
	want := Packet{
		Diag: DiagNeighborDown, State: Init, Poll: true, DetectMult: 3,
		MyDiscr: 0x01020304, YourDiscr: 0x0a0b0c0d,
		DesiredMinTxInterval: 50 * time.Millisecond, RequiredMinRxInterval: 100 * time.Millisecond,
	}
	wire, err := hex.DecodeString(vector)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(wire)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	if !samePacket(got, want) {
		t.Errorf("Parse = %+v, want %+v", got, want)
	}
	if enc := want.AppendTo(nil); !bytes.Equal(enc, wire) {
		t.Errorf("AppendTo = %x, want %x", enc, wire)
	}
}

// TestRFC5880_4_1_Flags sets each bit of the second byte alone.
func TestRFC5880_4_1_Flags(t *testing.T) {
	for _, c := range []struct {
		name string
		bits byte
		set  func(*Packet)
	}{
		{"AdminDown", 0x00, func(p *Packet) { p.State = AdminDown }},
		{"Down", 0x40, func(p *Packet) { p.State = Down }},
		{"Init", 0x80, func(p *Packet) { p.State = Init }},
		{"Up", 0xc0, func(p *Packet) { p.State = Up }},
		{"Poll", 0x20, func(p *Packet) { p.Poll = true }},
		{"Final", 0x10, func(p *Packet) { p.Final = true }},
		{"ControlPlaneIndependent", 0x08, func(p *Packet) { p.ControlPlaneIndependent = true }},
		{"AuthenticationPresent", 0x04, func(p *Packet) { p.Auth = []byte{1, 4, 7, 'x'} }},
		{"Demand", 0x02, func(p *Packet) { p.Demand = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := Packet{DetectMult: 1, MyDiscr: 1}
			c.set(&p)
			wire := p.AppendTo(nil)
			if wire[1] != c.bits {
				t.Errorf("second byte %#02x, want %#02x", wire[1], c.bits)
			}
			if int(wire[3]) != len(wire) {
				t.Errorf("Length field %d of a packet of %d bytes", wire[3], len(wire))
			}
			back, err := Parse(wire)
			if err != nil || !samePacket(back, p) {
				t.Errorf("Parse = %+v, %v; want %+v", back, err, p)
			}
		})
	}
}

// TestParseRoundTrip: what is encoded is decoded to the same, for every packet
// that the wire can carry.
func TestParseRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPacket(t)
		got, err := Parse(p.AppendTo(nil))
		if err != nil {
			t.Fatalf("Parse: %v", err)
		}
		if !samePacket(got, p) {
			t.Fatalf("got %+v, want %+v", got, p)
		}
	})
}

// FuzzParse: no input panics, an error is a DropError with a reason, and what is
// accepted encodes to the bytes it came from (less what Length spans beyond the
// sections that there are).
func FuzzParse(f *testing.F) {
	wire, _ := hex.DecodeString(vector)
	f.Add(wire)
	f.Add(append(bytes.Clone(wire), 0xff))
	f.Add((&Packet{State: Up, DetectMult: 3, MyDiscr: 9, YourDiscr: 8, Auth: make([]byte, maxAuthLen)}).AppendTo(nil))
	for n := range len(wire) {
		f.Add(wire[:n])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			var drop *DropError
			if !errors.As(err, &drop) || drop.Reason >= dropKinds || drop.Error() == "" {
				t.Fatalf("error %#v is no DropError with a reason", err)
			}
			return
		}
		want := bytes.Clone(b[:b[3]])
		if p.Auth == nil {
			want = want[:headerLen]
			want[3] = headerLen
		}
		if got := p.AppendTo(nil); !bytes.Equal(got, want) {
			t.Fatalf("accepted %x, encodes to %x", want, got)
		}
	})
}

func samePacket(a, b Packet) bool {
	sameAuth := (a.Auth == nil) == (b.Auth == nil) && bytes.Equal(a.Auth, b.Auth)
	a.Auth, b.Auth = nil, nil
	return sameAuth && bytes.Equal(a.AppendTo(nil), b.AppendTo(nil)) &&
		a.DesiredMinTxInterval == b.DesiredMinTxInterval &&
		a.RequiredMinRxInterval == b.RequiredMinRxInterval &&
		a.RequiredMinEchoRxInterval == b.RequiredMinEchoRxInterval
}

func drawPacket(t *rapid.T) Packet {
	interval := rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.Uint32().Draw(t, "µs")) * time.Microsecond
	})
	p := Packet{
		Diag:                      Diag(rapid.IntRange(0, 31).Draw(t, "diag")),
		State:                     State(rapid.IntRange(0, 3).Draw(t, "state")),
		Poll:                      rapid.Bool().Draw(t, "poll"),
		Final:                     rapid.Bool().Draw(t, "final"),
		ControlPlaneIndependent:   rapid.Bool().Draw(t, "independent"),
		Demand:                    rapid.Bool().Draw(t, "demand"),
		DetectMult:                rapid.Uint8Min(1).Draw(t, "mult"),
		MyDiscr:                   rapid.Uint32Min(1).Draw(t, "my"),
		YourDiscr:                 rapid.Uint32().Draw(t, "your"),
		DesiredMinTxInterval:      interval.Draw(t, "tx"),
		RequiredMinRxInterval:     interval.Draw(t, "rx"),
		RequiredMinEchoRxInterval: interval.Draw(t, "echo"),
	}
	if rapid.Bool().Draw(t, "auth") {
		p.Auth = rapid.SliceOfN(rapid.Byte(), 2, 200).Draw(t, "section")
	}
	return p
}
