package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// TestPortsOfAServiceAreRead: they become ranges of the dataplane, and are written back unchanged.
func TestPortsOfAServiceAreRead(t *testing.T) {
	dir := folder(t)
	file := filepath.Join(dir, "lb1.yaml")
	of := func(first, last uint16) flow.Service {
		return flow.Service{VIP: flow.IPv4(198, 18, 0, 100), Port: first, Last: last, Proto: flow.UDP}
	}
	for written, want := range map[string]flow.Service{
		"8000-8999": of(8000, 8999), "any": of(1, 65535), "1 - 65535": of(1, 65535), "53": of(53, 0), "53-53": of(53, 0),
	} {
		text := strings.Replace(good, "port: 53", "port: "+written, 1)
		backend := uint16(53)
		if want.IsRange() {
			text, backend = strings.Replace(text, "11:53", "11:0", 1), 0
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time as Marshal writes it
			cfg, err := Load(file, Options{})
			if err != nil {
				t.Fatalf("%s: %v", written, err)
			}
			got := cfg.Dataplane().Services[1]
			if diff := cmp.Diff(dataplane.Service{
				Service: want, Name: "dns", Mode: dataplane.DNAT, Balance: dataplane.RoundRobin, SNAT: flow.IPv4(198, 18, 1, 100),
				Backends: []dataplane.Backend{{Addr: flow.IPv4(198, 18, 1, 11), Port: backend}},
			}, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", written, diff)
			}
			if err := dataplane.ValidateServices(cfg.Dataplane().Services); err != nil {
				t.Errorf("%s: %v", written, err)
			}
			b, err := cfg.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
