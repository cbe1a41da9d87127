package config

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func loadSpeaker(t *testing.T, text string) *Speaker {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bfd.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := LoadSpeaker(file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestDefaultsOfASpeakersFile: the documented defaults, without multihop's for a single
// hop.
func TestDefaultsOfASpeakersFile(t *testing.T) {
	s := loadSpeaker(t, `
control: /run/bfd.sock
sessions:
  - {name: near, local: 198.18.9.1, peer: 198.18.9.2, interface: a0}
  - {name: far, mode: multihop, local: 198.18.9.1, peer: 198.18.7.1}
  - {name: farther, mode: multihop, local: 198.18.9.1, peer: 198.18.7.2, min_ttl: 1}
`)
	for i, want := range []struct {
		mode   BFDMode
		minTTL uint8
	}{{SingleHop, 0}, {MultiHop, 254}, {MultiHop, 1}} {
		x := s.Sessions[i]
		if x.Mode != want.mode || x.MinTTL != want.minTTL || x.TX != Duration(300*time.Millisecond) || x.RX != Duration(300*time.Millisecond) || x.Mult != 3 {
			t.Errorf("%+v, want %v with a least TTL of %d, 300ms and 3", x, want.mode, want.minTTL)
		}
	}
}

// TestASpeakerWritesWhatItReads: every key, omitted ones too.
func TestASpeakerWritesWhatItReads(t *testing.T) {
	s := loadSpeaker(t, `
control: /run/bfd.sock
sessions:
  - {name: near, local: 198.18.9.1, peer: 198.18.9.2, interface: a0, tx: 50ms, rx: 20ms, mult: 5, demand: true,
     auth: {type: keyed-sha1, keys: [{id: 1, secret: one}, {id: 2, secret: "0x00ff"}], send: 2}}
  - {name: far, mode: multihop, local: "2001:2::1", peer: "2001:2:0:7::1", passive: true}
  - {name: echo, local: 198.18.9.1, peer: 198.18.9.3, interface: a0, echo: {tx: 50ms, rx: 20ms, source: 198.18.77.1}}
  - {name: alone, mode: unaffiliated-echo, local: 198.18.9.1, peer: 198.18.9.4, interface: a0, echo: {source: 198.18.77.1}}
`)
	text, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if again := loadSpeaker(t, string(text)); !reflect.DeepEqual(again, s) {
		t.Errorf("read %+v, wrote %s and read %+v", s, text, again)
	}
}
