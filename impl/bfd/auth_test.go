package bfd

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

var allAuthTypes = []AuthType{
	AuthSimplePassword, AuthKeyedMD5, AuthMeticulousKeyedMD5, AuthKeyedSHA1, AuthMeticulousKeyedSHA1,
}

var digestTypes = allAuthTypes[1:]

// authVectors were made by an implementation of RFC 5880 section 6.7 in another
// language: an Up packet from 0x11111111 to 0x22222222, secret "opensesame" as key
// 7, sequence number 0xfffffffe.
var authVectors = map[AuthType]string{
	AuthSimplePassword:      "20c4032511111111222222220000c3500000c35000000000010d076f70656e736573616d65",
	AuthKeyedMD5:            "20c4033011111111222222220000c3500000c3500000000002180700fffffffe583874f456c5a87a6948f295a2c1439f",
	AuthMeticulousKeyedMD5:  "20c4033011111111222222220000c3500000c3500000000003180700fffffffe3074e93ae6077e3c81addbc3a873710a",
	AuthKeyedSHA1:           "20c4033411111111222222220000c3500000c35000000000041c0700fffffffe4f7da80ee00ced2a1c8ee79d7965932d06b86b9f",
	AuthMeticulousKeyedSHA1: "20c4033411111111222222220000c3500000c35000000000051c0700fffffffeb17bdccef628c41c56dd3c37dc0b1a611b26eeff",
}

func testAuth(typ AuthType) Auth {
	return Auth{Type: typ, Keys: []Key{{ID: 7, Secret: []byte("opensesame")}}, SendKey: 7}
}

// sealed returns a packet of the peer with an authentication section.
func sealed(p Packet, auth Auth, seq uint32) []byte {
	a := authenticator{Auth: auth, xmitSeq: seq - 1}
	return a.seal(p.AppendTo(nil))
}

func withAuth(typ AuthType) func(*Config) {
	return func(c *Config) { c.Auth = testAuth(typ) }
}

// TestRFC5880_6_7_Vectors: what is transmitted and what is accepted, byte by byte,
// for every type.
//
// Conformance: RFC 5880 6.7/1 6.7.2/1 6.7.2/2 6.7.2/3 6.7.2/10 6.7.3/1 6.7.3/2 6.7.3/3
// 6.7.3/4 6.7.3/5 6.7.3/7 6.7.3/17 6.7.4/1 6.7.4/2 6.7.4/3 6.7.4/4 6.7.4/5 6.7.4/7
// 6.7.4/17 9/2; RFC 5883 6/1; RFC 5881 7/1
func TestRFC5880_6_7_Vectors(t *testing.T) {
	for _, typ := range allAuthTypes {
		t.Run(typ.String(), func(t *testing.T) {
			want, err := hex.DecodeString(authVectors[typ])
			if err != nil {
				t.Fatal(err)
			}
			p := Packet{
				State: Up, DetectMult: 3, MyDiscr: localDiscr, YourDiscr: peerDiscr,
				DesiredMinTxInterval: 50 * ms, RequiredMinRxInterval: 50 * ms,
			}
			if got := sealed(p, testAuth(typ), 0xfffffffe); !bytes.Equal(got, want) {
				t.Errorf("transmits\n%x, want\n%x", got, want)
			}
			r := newRig(t, withAuth(typ), func(c *Config) { c.LocalDiscr = peerDiscr })
			if err := r.s.Receive(r.now, want, maxTTL); err != nil {
				t.Errorf("Receive: %v", err)
			}
		})
	}
}

// TestRFC5880_6_7_Discard breaks each rule of authentication. No such packet
// changes anything.
//
// Conformance: RFC 5880 6.8.6/14 6.8.6/15 6.7.1/1 6.7.1/2 6.7.2/6 6.7.2/7 6.7.2/8
// 6.7.2/9 6.7.3/11 6.7.3/12 6.7.3/13 6.7.3/18 6.7.4/11 6.7.4/12 6.7.4/13 6.7.4/18
func TestRFC5880_6_7_Discard(t *testing.T) {
	const seq = 1000
	digest := func(typ AuthType) bool { return typ != AuthSimplePassword }
	for _, c := range []struct {
		name   string
		reason Drop
		types  func(AuthType) bool
		make   func(p Packet, auth Auth) []byte
	}{
		{"Missing", DropAuthMissing, nil, func(p Packet, _ Auth) []byte { return p.AppendTo(nil) }},
		{"OtherType", DropAuthType, nil, func(p Packet, a Auth) []byte {
			a.Type = a.Type%AuthMeticulousKeyedSHA1 + 1
			return sealed(p, a, seq)
		}},
		{"UnknownKey", DropAuthKeyID, nil, func(p Packet, a Auth) []byte {
			a.Keys, a.SendKey = []Key{{ID: 8, Secret: a.Keys[0].Secret}}, 8
			return sealed(p, a, seq)
		}},
		{"WrongSecret", DropAuthDigest, nil, func(p Packet, a Auth) []byte {
			a.Keys = []Key{{ID: 7, Secret: []byte("opensesamf")}}
			return sealed(p, a, seq)
		}},
		{"AuthLenTooLong", DropAuthLen, nil, func(p Packet, a Auth) []byte {
			b := sealed(p, a, seq)
			b[25]++
			return b
		}},
		{"AuthLenTooShort", DropAuthLen, nil, func(p Packet, a Auth) []byte {
			b := sealed(p, a, seq)
			b[25]--
			return b
		}},
		{"SectionTruncated", DropAuthLen, nil, func(p Packet, a Auth) []byte {
			b := sealed(p, a, seq)
			b[3]--
			return b
		}},
		{"SectionOfTwoBytes", DropAuthLen, nil, func(p Packet, a Auth) []byte {
			b := sealed(p, a, seq)[:26]
			b[3] = 26
			return b
		}},
		{"TamperedState", DropAuthDigest, digest, func(p Packet, a Auth) []byte {
			b := sealed(p, a, seq)
			b[1] ^= 1 << 7
			return b
		}},
		{"TamperedSequence", DropAuthDigest, digest, func(p Packet, a Auth) []byte {
			b := sealed(p, a, seq)
			b[31]++
			return b
		}},
	} {
		for _, typ := range allAuthTypes {
			if c.types != nil && !c.types(typ) {
				continue
			}
			t.Run(c.name+"/"+typ.String(), func(t *testing.T) {
				r := newRig(t, withAuth(typ))
				r.run(0)
				good := peerPacket(Init)
				if err := r.s.Receive(r.now, sealed(good, testAuth(typ), seq-1), maxTTL); err != nil {
					t.Fatalf("the good packet: %v", err)
				}
				r.collect()
				wantDrop(t, r, c.make(peerPacket(Down), testAuth(typ)), maxTTL, c.reason)
			})
		}
	}
}

// TestRFC5880_6_8_6_AuthUnexpected: no authentication in use, A bit set.
//
// Conformance: RFC 5880 6.8.6/13 6.7.1/1 6.7.1/2
func TestRFC5880_6_8_6_AuthUnexpected(t *testing.T) {
	r := newRig(t)
	r.up()
	wantDrop(t, r, sealed(peerPacket(Down), testAuth(AuthKeyedSHA1), 1), maxTTL, DropAuthUnexpected)
}

// TestRFC5880_6_7_SequenceWindow: from the last number (meticulous: from the next)
// to three times Detect Mult ahead, in circular arithmetic.
//
// Conformance: RFC 5880 6.7.3/14 6.7.3/15 6.7.4/14 6.7.4/15
func TestRFC5880_6_7_SequenceWindow(t *testing.T) {
	for _, typ := range digestTypes {
		for _, last := range []uint32{1000, 0xffffffff, 0xfffffffb, 0} {
			for _, c := range []struct {
				ahead int32
				ok    bool
			}{{-1, false}, {0, !typ.meticulous()}, {1, true}, {9, true}, {10, false}, {-1 << 31, false}} {
				r := newRig(t, withAuth(typ))
				if err := r.s.Receive(r.now, sealed(peerPacket(Init), testAuth(typ), last), maxTTL); err != nil {
					t.Fatalf("first packet: %v", err)
				}
				seq := last + uint32(c.ahead)
				err := r.s.Receive(r.now, sealed(peerPacket(Up), testAuth(typ), seq), maxTTL)
				var drop *DropError
				if (err == nil) != c.ok || err != nil && (!errors.As(err, &drop) || drop.Reason != DropAuthSeq) {
					t.Errorf("%v: %d after %d: %v", typ, seq, last, err)
				}
			}
		}
	}
}

// TestRFC5880_6_7_SequenceMoves: the window follows what was accepted, and a
// replay of anything before it is refused.
//
// Conformance: RFC 5880 6.7.3/16 6.7.4/16
func TestRFC5880_6_7_SequenceMoves(t *testing.T) {
	for _, typ := range digestTypes {
		r := newRig(t, withAuth(typ))
		old := sealed(peerPacket(Down), testAuth(typ), 100)
		if err := r.s.Receive(r.now, old, maxTTL); err != nil {
			t.Fatal(err)
		}
		for seq := uint32(101); seq < 200; seq += 9 {
			if err := r.s.Receive(r.now, sealed(peerPacket(Up), testAuth(typ), seq), maxTTL); err != nil {
				t.Fatalf("%v: %v", typ, err)
			}
		}
		if err := r.s.Receive(r.now, old, maxTTL); err == nil || r.s.State() != Up {
			t.Errorf("%v: replayed Down: %v, state %v", typ, err, r.s.State())
		}
	}
}

// TestRFC5880_6_8_1_AuthSeqKnown: any sequence number is accepted after twice the
// Detection Time without a packet, but not before; and a forged packet does not
// choose it.
//
// Conformance: RFC 5880 6.8.1/14 6.8.1/15 6.7.3/16 6.7.4/16
func TestRFC5880_6_8_1_AuthSeqKnown(t *testing.T) {
	r := newRig(t, withAuth(AuthKeyedSHA1))
	auth := testAuth(AuthKeyedSHA1)
	receive := func(seq uint32) error {
		return r.s.Receive(r.now, sealed(peerPacket(Down), auth, seq), maxTTL)
	}
	if err := receive(1000); err != nil {
		t.Fatal(err)
	}
	r.run(2*r.s.DetectionTime() - 1)
	if err := receive(5); err == nil {
		t.Fatal("a number from before, just under twice the Detection Time")
	}
	r.run(1)
	forged := sealed(peerPacket(Down), auth, 0x7fffffff)
	forged[len(forged)-1]++
	if err := r.s.Receive(r.now, forged, maxTTL); err == nil {
		t.Fatal("accepted a forged packet")
	}
	if err := receive(5); err != nil {
		t.Errorf("twice the Detection Time later: %v", err)
	}
}

// TestRFC5880_6_7_XmitAuthSeq: the first number is drawn, meticulous types count
// every packet, the others those that say something new.
//
// Conformance: RFC 5880 4.3/1 4.4/1 6.7.3/9 6.7.3/10 6.7.4/9 6.7.4/10 6.8.1/13
func TestRFC5880_6_7_XmitAuthSeq(t *testing.T) {
	for _, typ := range digestTypes {
		var first [2]uint32
		for i := range first {
			r := newRig(t, withAuth(typ), func(c *Config) { c.Seed = uint64(i) })
			var seqs []uint32
			seq := func() uint32 {
				sent := r.take()
				if len(sent) != 1 || len(sent[0].Auth) < digestPrefix {
					t.Fatalf("%v: transmitted %+v", typ, sent)
				}
				if sent[0].Auth[3] != 0 {
					t.Errorf("%v: the reserved byte is %d", typ, sent[0].Auth[3])
				}
				return binary.BigEndian.Uint32(sent[0].Auth[offsetSeq:])
			}
			for range 3 {
				r.run(r.s.Deadline().Sub(r.now))
				seqs = append(seqs, seq())
			}
			r.s.SetAdminDown(r.now, true)
			r.collect()
			seqs = append(seqs, seq())
			step := uint32(0)
			if typ.meticulous() {
				step = 1
			}
			if seqs[1]-seqs[0] != step || seqs[2]-seqs[1] != step || seqs[3]-seqs[2] != 1 {
				t.Errorf("%v: sequence numbers %d", typ, seqs)
			}
			first[i] = seqs[0]
		}
		if first[0] == first[1] {
			t.Errorf("%v: the first sequence number does not depend on the seed", typ)
		}
	}
}

// TestRFC5880_6_7_SecretNotCarried: the packet holds the digest in place of the secret.
//
// Conformance: RFC 5880 6.7.3/8 6.7.4/8
func TestRFC5880_6_7_SecretNotCarried(t *testing.T) {
	for _, typ := range digestTypes {
		if b := sealed(peerPacket(Up), testAuth(typ), 1); bytes.Contains(b, []byte("opensesame")) {
			t.Errorf("%v: transmitted the secret", typ)
		}
	}
}

// TestRFC5880_6_7_1_KeyExchange moves a pair from one key to another without a
// dropped packet.
func TestRFC5880_6_7_1_KeyExchange(t *testing.T) {
	before, after := Key{ID: 1, Secret: []byte("before")}, Key{ID: 2, Secret: []byte("after")}
	r := newRig(t, func(c *Config) { c.Auth = Auth{Type: AuthMeticulousKeyedSHA1, Keys: []Key{before}, SendKey: 1} })
	r.run(0)
	peerAuth := r.s.auth.Auth
	seq := uint32(0)
	exchange := func(wantKey uint8) {
		t.Helper()
		seq++
		if err := r.s.Receive(r.now, sealed(peerPacket(Up), peerAuth, seq), maxTTL); err != nil {
			t.Fatal(err)
		}
		r.collect()
		r.take()
		r.run(1100 * ms)
		sent := r.take()
		if len(sent) == 0 || sent[len(sent)-1].Auth[offsetKeyID] != wantKey {
			t.Fatalf("transmitted %+v, want key %d", sent, wantKey)
		}
	}
	set := func(sendKey uint8, keys ...Key) {
		t.Helper()
		if err := r.s.SetAuth(r.now, Auth{Type: AuthMeticulousKeyedSHA1, Keys: keys, SendKey: sendKey}); err != nil {
			t.Fatal(err)
		}
	}
	exchange(1)
	set(1, before, after)
	exchange(1)
	peerAuth.Keys, peerAuth.SendKey = []Key{before, after}, 2
	exchange(1)
	set(2, before, after)
	exchange(2)
	set(2, after)
	exchange(2)
	if n := r.s.Stats().Dropped(); n != 0 {
		t.Errorf("%d packets dropped", n)
	}
	if err := r.s.SetAuth(r.now, Auth{Type: 9}); err == nil {
		t.Error("took an unknown type")
	}
	exchange(2)
}

// TestAuthValidate: what the RFC does not allow is refused by name and section.
//
// Conformance: RFC 5880 4.2/1 6.7.2/4
func TestAuthValidate(t *testing.T) {
	secret := func(n int) Auth {
		return Auth{Type: AuthKeyedSHA1, Keys: []Key{{ID: 1, Secret: make([]byte, n)}}, SendKey: 1}
	}
	as := func(typ AuthType, a Auth) Auth { a.Type = typ; return a }
	for _, c := range []struct {
		name string
		auth Auth
		want string
	}{
		{"None", Auth{}, ""},
		{"SHA1Longest", secret(20), ""},
		{"SHA1TooLong", secret(21), "secret of key 1 has 21 bytes, Keyed SHA1 takes 1 to 20 (RFC 5880 6.7.4)"},
		{"SHA1Empty", secret(0), "secret of key 1 has 0 bytes"},
		{"MD5Longest", as(AuthKeyedMD5, secret(16)), ""},
		{"MD5TooLong", as(AuthMeticulousKeyedMD5, secret(17)), "Meticulous Keyed MD5 takes 1 to 16 (RFC 5880 6.7.3)"},
		{"PasswordLongest", as(AuthSimplePassword, secret(16)), ""},
		{"PasswordTooLong", as(AuthSimplePassword, secret(17)), "Simple Password takes 1 to 16 (RFC 5880 6.7.2)"},
		{"UnknownType", as(6, secret(5)), "Auth.Type 6 is none of 1 to 5 (RFC 5880 4.1)"},
		{"KeysWithoutType", as(AuthNone, secret(5)), "Auth.Keys without Auth.Type"},
		{"NoKeys", Auth{Type: AuthKeyedSHA1, SendKey: 1}, "Auth.SendKey 1 is none of Auth.Keys"},
		{"SendKeyUnknown", func() Auth { a := secret(5); a.SendKey = 2; return a }(), "Auth.SendKey 2 is none of Auth.Keys"},
		{"IDTwice", func() Auth { a := secret(5); a.Keys = append(a.Keys, a.Keys[0]); return a }(), "Auth.Keys has the ID 1 twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig()
			cfg.Auth = c.auth
			err := cfg.Validate()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("Validate: %v, want %q", err, c.want)
			}
		})
	}
}

// TestRFC5880_6_7_2_ParseSecret: ASCII, or hexadecimal for arbitrary bytes.
//
// Conformance: RFC 5880 4.2/2 4.3/2 4.4/2 6.7.2/5 6.7.3/6 6.7.4/6
func TestRFC5880_6_7_2_ParseSecret(t *testing.T) {
	for _, c := range []struct {
		text string
		want []byte
		ok   bool
	}{
		{"open sesame!", []byte("open sesame!"), true},
		{"0x00ff10", []byte{0, 0xff, 0x10}, true},
		{"0x0", nil, false},
		{"0xzz", nil, false},
		{"schlüssel", nil, false},
		{"tab\t", nil, false},
	} {
		got, err := ParseSecret(c.text)
		if (err == nil) != c.ok || !reflect.DeepEqual(got, c.want) {
			t.Errorf("ParseSecret(%q) = %v, %v", c.text, got, err)
		}
	}
}

// TestRFC5880_6_7_Reserved: the reserved byte does not matter on receipt.
//
// Conformance: RFC 5880 4.3/1 4.4/1
func TestRFC5880_6_7_Reserved(t *testing.T) {
	for _, typ := range digestTypes {
		a := authenticator{Auth: testAuth(typ)}
		b := sealed(peerPacket(Down), a.Auth, 1)
		b[27] = 0xff
		field := b[headerLen+digestPrefix:]
		clear(field)
		copy(field, a.Keys[0].Secret)
		digest := a.digest(b)
		copy(field, digest[:])
		r := newRig(t, withAuth(typ))
		if err := r.s.Receive(r.now, b, maxTTL); err != nil {
			t.Errorf("%v: %v", typ, err)
		}
	}
}

// TestRFC5880_6_7_XmitAuthSeqCircular: after the greatest number comes 0.
//
// Conformance: RFC 5880 6.7.3/10 6.7.4/10
func TestRFC5880_6_7_XmitAuthSeqCircular(t *testing.T) {
	for _, typ := range digestTypes {
		a := authenticator{Auth: testAuth(typ), xmitSeq: 0xffffffff}
		p := peerPacket(Up)
		b := a.seal(p.AppendTo(nil))
		if seq := binary.BigEndian.Uint32(b[headerLen+offsetSeq:]); seq != 0 {
			t.Errorf("%v: %d after the greatest sequence number", typ, seq)
		}
	}
}

// FuzzAuthenticate: no sealed packet with one changed byte is accepted, whatever the type,
// except if that is the reserved byte and no digest covers it. Nothing panics on any section.
func FuzzAuthenticate(f *testing.F) {
	for _, typ := range allAuthTypes {
		f.Add(uint8(typ), uint8(0), uint8(1), []byte(nil))
		f.Add(uint8(typ), uint8(headerLen), uint8(1), []byte(nil))
		f.Add(uint8(typ), uint8(headerLen+digestPrefix), uint8(0x80), []byte(nil))
		f.Add(uint8(typ), uint8(0), uint8(0), sealed(peerPacket(Up), testAuth(typ), 9)[headerLen:])
	}
	f.Fuzz(func(t *testing.T, kind, at, flip uint8, section []byte) {
		typ := AuthType(kind%uint8(len(allAuthTypes))) + AuthSimplePassword
		genuine := sealed(peerPacket(Up), testAuth(typ), 9)
		b := append(bytes.Clone(genuine[:headerLen]), section...)
		if section == nil {
			b = bytes.Clone(genuine)
			b[int(at)%len(b)] ^= flip
		}
		b[offsetLength] = byte(len(b))
		a := authenticator{Auth: testAuth(typ)}
		var (
			p    Packet
			drop DropError
		)
		if !p.decode(b, &drop) || !a.verify(b, &p, &drop) {
			if a.known {
				t.Fatal("a packet that was discarded has touched the sequence number")
			}
			return
		}
		if typ == AuthSimplePassword {
			genuine, b = genuine[headerLen:], b[headerLen:][:a.sectionLen(&a.Keys[0])]
		}
		if !bytes.Equal(b, genuine) {
			t.Fatalf("took %x for %x", b, genuine)
		}
	})
}

// FuzzParseSecret: an accepted secret equals the text or the bytes of its digits.
func FuzzParseSecret(f *testing.F) {
	for _, text := range []string{"", "0x", "0x00ff", "0X00", "open sesame", "schlüssel", "0xzz", "0x0"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		secret, err := ParseSecret(text)
		if err != nil {
			return
		}
		if string(secret) != text && !strings.EqualFold("0x"+hex.EncodeToString(secret), text) {
			t.Fatalf("%q is %x", text, secret)
		}
	})
}
