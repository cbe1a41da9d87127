package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A running node applies changed services. Any other change is refused: the message
// names its line and what to do.
func TestReloadTakesOverServicesAlone(t *testing.T) {
	dir := folder(t)
	file := filepath.Join(dir, "lb1.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(good)
	now, err := Load(file, Options{})
	if err != nil {
		t.Fatal(err)
	}
	first := now.Services[0]
	backend := first.Backends[0].String()
	for _, tt := range []struct{ name, old, new, want string }{
		{"nothing", "", "", ""},
		{"another backend", backend, netip.AddrPortFrom(first.Backends[0].Addr(), 8080).String(), ""},
		{"another timer", "tx: 50ms", "tx: 60ms", "bfd: has changed, but a running node only reloads services"},
		{"another VIP", "vip: " + first.VIP.String(), "vip: 198.18.0.77", ""},
		{"a mistake", backend, "198.18.1.300:80", "lb1.yaml:"},
	} {
		text := strings.Replace(good, tt.old, tt.new, 1)
		if tt.old != "" && text == good {
			t.Fatalf("%s: the file holds no %q", tt.name, tt.old)
		}
		write(text)
		next, err := Reload(file, Options{}, now)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want == "" && next == nil:
			t.Errorf("%s: no configuration", tt.name)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "lb1.yaml:")):
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
