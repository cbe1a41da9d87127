package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const six = "  - {name: six, proto: tcp, vip: \"2001:2::64\", port: 80, mode: fullnat, snat: \"2001:2:0:1::64\", backends: [\"[2001:2:0:1::b]:80\"]}\n"

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
	before, err := Load(file, Options{})
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
		{"other checks", "control: lb1.sock", "control: lb1.sock\ncheck: {type: port}", ""},
		{"the first VIP of IPv6", "services:\n", "services:\n" + six, "services[0].vip: 2001:2::64 is the first IPv6 address, and a running node has no table for it; restart it"},
		{"the first backend of IPv6", "    mode: dnat\n    snat: 198.18.1.100\n    backends:\n      - 198.18.1.11:53", "    mode: dsr-ipip\n    backends:\n      - \"[2001:2:0:1::b]:53\"",
			"services[1].backends: 2001:2:0:1::b is the first IPv6 address"},
		{"a mistake", backend, "198.18.1.300:80", "lb1.yaml:"},
	} {
		text := strings.Replace(good, tt.old, tt.new, 1)
		if tt.old != "" && text == good {
			t.Fatalf("%s: the file holds no %q", tt.name, tt.old)
		}
		write(text)
		next, err := Reload(file, Options{}, now)
		if !reflect.DeepEqual(now, before) {
			t.Fatalf("%s: the running configuration has changed", tt.name)
		}
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

// A node that has an IPv6 address already takes more of them.
func TestReloadTakesMoreIPv6(t *testing.T) {
	dir := folder(t)
	file := filepath.Join(dir, "lb1.yaml")
	text := strings.Replace(good, "services:\n", "services:\n"+six, 1)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	now, err := Load(file, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(text, "2001:2::64", "2001:2::65", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if next, err := Reload(file, Options{}, now); err != nil || next.Services[0].VIP == now.Services[0].VIP {
		t.Errorf("another IPv6 address: %v", err)
	}
}
