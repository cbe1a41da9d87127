package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// loaded returns the configuration of the good file.
func loaded(t *testing.T) *Config {
	t.Helper()
	file := filepath.Join(folder(t), "lb1.yaml")
	if err := os.WriteFile(file, []byte(good), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnEditIsCheckedLikeTheFile(t *testing.T) {
	c := loaded(t)
	web := c.Services[0]
	first, other := web.Backends[0], netip.MustParseAddrPort("198.18.1.77:80")
	vip, snat := web.VIP.String(), web.SNAT.String()
	api := "{name: api, proto: tcp, vip: " + vip + ", port: 8080, mode: fullnat, snat: " + snat + ", backends: [198.18.1.77:80]}"
	for _, tt := range []struct {
		name string
		edit Edit
		want string // of the error
		then func(*Config) bool
	}{
		{"a new service", Edit{Verb: AddService, Text: api}, "", func(n *Config) bool {
			s := n.Services[len(n.Services)-1]
			return len(n.Services) == len(c.Services)+1 && s.Name == "api" && s.Balance == RoundRobin && s.Check.Interval == c.Check.Interval
		}},
		{"one that is there", Edit{Verb: AddService, Text: strings.Replace(api, "api", web.Name, 1)}, `.name: "` + web.Name + `" names the service on services[0].name too`, nil},
		{"one that overlaps", Edit{Verb: AddService, Text: strings.Replace(api, "8080", "80", 1)}, "is the service on services[0].vip already", nil},
		{"a new VIP", Edit{Verb: AddService, Text: strings.Replace(api, vip, "198.18.0.77", 1)}, "", func(n *Config) bool { return len(n.VIPs()) == len(c.VIPs())+1 }},
		{"the first IPv6 address", Edit{Verb: AddService, Text: "{name: six, proto: tcp, vip: '2001:2::100', port: 80, mode: fullnat, snat: '2001:2::1:100', backends: ['[2001:2::1]:80']}"}, "is the first IPv6 address", nil},
		{"the first IPv6 address, of a backend", Edit{Verb: AddService, Text: "{name: far, proto: tcp, vip: " + vip + ", port: 81, mode: dsr-ipip, backends: ['[2001:2::1]:81']}"}, ".backends: 2001:2::1 is the first IPv6 address", nil},
		{"a VIP that a host has", Edit{Verb: AddService, Text: strings.Replace(api, vip, c.BFD.Paths[0].Peer.String(), 1)}, "a VIP must not be a host's address", nil},
		{"of two families", Edit{Verb: AddService, Text: strings.Replace(api, "198.18.1.77:80", "'[2001:2::1]:80'", 1)}, "is not of the family of the VIP", nil},
		{"a key that nobody knows", Edit{Verb: AddService, Text: strings.Replace(api, "mode", "mod", 1)}, "mod is not a key; did you mean", nil},
		{"without a key", Edit{Verb: AddService, Text: "{name: api}"}, "proto is missing", nil},
		{"no YAML", Edit{Verb: AddService, Text: "{"}, "service add: not YAML", nil},
		{"no keys", Edit{Verb: AddService, Text: "web"}, "are not the keys of a service", nil},
		{"nothing", Edit{Verb: AddService}, "not YAML", nil},
		{"other keys", Edit{Verb: SetService, Service: web.Name, Text: "{balance: maglev, check: {type: tcp}}"}, "", func(n *Config) bool {
			s := n.Services[0]
			return s.Balance == Maglev && s.Check.Type == CheckTCP && s.Check.Interval == web.Check.Interval && s.Port == web.Port
		}},
		{"another name", Edit{Verb: SetService, Service: web.Name, Text: "{name: www}"}, `"www" is another name`, nil},
		{"a service that is not there", Edit{Verb: SetService, Service: "www", Text: "{port: 81}"}, `service set: no service is called "www"`, nil},
		{"one service less", Edit{Verb: DelService, Service: web.Name}, "", func(n *Config) bool {
			return len(n.Services) == len(c.Services)-1 && n.Services[0].Name == c.Services[1].Name
		}},
		{"a backend", Edit{Verb: AddBackend, Service: web.Name, Backend: other, Weight: 1}, "", func(n *Config) bool {
			s := n.Services[0]
			return len(s.Backends) == len(web.Backends)+1 && s.Weights == nil && len(web.Backends) == len(c.Services[0].Backends)
		}},
		{"a backend of weight 3", Edit{Verb: AddBackend, Service: web.Name, Backend: other, Weight: 3}, "", func(n *Config) bool {
			w := n.Services[0].Weights
			return len(w) == len(web.Backends)+1 && w[0] == 1 && w[len(w)-1] == 3
		}},
		{"a backend of weight 0", Edit{Verb: AddBackend, Service: web.Name, Backend: other}, "0 is out of range; use 1 to 100", nil},
		{"a backend twice", Edit{Verb: AddBackend, Service: web.Name, Backend: first, Weight: 1}, "is the backend on services[0].backends[0] already", nil},
		{"another weight", Edit{Verb: SetBackend, Service: web.Name, Backend: first, Weight: 5}, "", func(n *Config) bool { return n.Services[0].Weights[0] == 5 }},
		{"a backend that is not there", Edit{Verb: DelBackend, Service: web.Name, Backend: other}, "has no backend 198.18.1.77:80", nil},
		{"a verb that nobody knows", Edit{Verb: "backend add", Service: "www", Backend: other}, `no service is called "www"`, nil},
		{"no verb", Edit{Service: web.Name, Backend: first}, "is not known", nil},
	} {
		before := *c
		next, service, err := c.Edit(tt.edit)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want == "" && !tt.then(next):
			t.Errorf("%s: the services became %+v", tt.name, next.Services)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		case err == nil && tt.edit.Service != "" && service != tt.edit.Service:
			t.Errorf("%s: changed service %s", tt.name, service)
		}
		if !reflect.DeepEqual(*c, before) {
			t.Fatalf("%s: the running configuration has changed", tt.name)
		}
		if err == nil {
			checkOnlyServices(t, tt.name, c, next)
		}
	}
}

// checkOnlyServices fails if two configurations differ elsewhere.
func checkOnlyServices(t *testing.T, name string, c, next *Config) {
	t.Helper()
	same := *next
	same.Services = c.Services
	if !reflect.DeepEqual(same, *c) {
		t.Errorf("%s: more than the services has changed:\n%+v\n%+v", name, same, *c)
	}
}

// A change at one node makes the other's service equal: as changed, added or deleted.
func TestAnEditedServiceIsCopiedToTheOtherNode(t *testing.T) {
	c := loaded(t)
	web := c.Services[0]
	edited, _, err := c.Edit(Edit{Verb: SetService, Service: web.Name, Text: "{balance: maglev}"})
	if err != nil {
		t.Fatal(err)
	}
	added, _, err := edited.Edit(Edit{Verb: AddService, Text: "{name: api, proto: udp, vip: " + web.VIP.String() + ", port: 5353, mode: dnat, snat: " + web.SNAT.String() + ", backends: [198.18.1.77:53]}"})
	if err != nil {
		t.Fatal(err)
	}
	other := c
	for _, s := range added.Services {
		text, err := added.Text(s.Name)
		if err != nil {
			t.Fatal(err)
		}
		if other, err = other.Put(s.Name, text); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(other, added) {
		t.Errorf("the other node has\n%+v\nwant\n%+v", other.Services, added.Services)
	}
	text, err := added.Text("gone")
	if err != nil || text != "" {
		t.Errorf("%q, %v", text, err)
	}
	if other, err = other.Put("api", ""); err != nil || !reflect.DeepEqual(other, edited) {
		t.Errorf("without the service: %+v, %v", other, err)
	}
	if again, err := other.Put("api", ""); err != nil || again != other {
		t.Errorf("a service that is not there: %v", err)
	}
	if _, err := other.Put("web", "{name: web}"); err == nil || !strings.HasPrefix(err.Error(), "service web: ") {
		t.Errorf("half a service: %v", err)
	}
}

// TestAnEditChangesNothingElse: a service that does without what the file's check or limits say goes on so, after
// an edit of it and of others, and at a peer that has the file too.
func TestAnEditChangesNothingElse(t *testing.T) {
	file := filepath.Join(folder(t), "lb1.yaml")
	without := "limits: {flows: 0, embryonic: 0, source_flows: 0, source_embryonic: 0, syn_challenge: 0}\n" +
		"    check: {type: none, slow_start: 0s, jitter: 0, host: '', body: '', grpc_service: '', port: 0}\n    "
	text := "check: {type: http, slow_start: 5s, jitter: 20, host: example.org, body: ok, grpc_service: health, command: [/bin/true], port: 81}\n" +
		"limits: {flows: 9000, embryonic: 500, source_flows: 900, source_embryonic: 50, syn_challenge: 20}\n" +
		strings.Replace(good, "mode: ", without+"mode: ", 1)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Services) < 2 || c.Services[0].Check.Host != "" || c.Services[1].Check.Host == "" {
		t.Fatalf("the file is not what the test needs: %+v", c.Services)
	}
	for i, s := range c.Services {
		next, _, err := c.Edit(Edit{Verb: SetService, Service: s.Name, Text: "{balance: maglev}"})
		if err != nil {
			t.Fatal(err)
		}
		next.Services[i].Balance = s.Balance
		if !reflect.DeepEqual(next, c) {
			t.Errorf("an edit of %s:\n%+v\nwant\n%+v", s.Name, next, c)
		}
		words, err := c.Text(s.Name)
		if err != nil {
			t.Fatal(err)
		}
		if next, err = c.Put(s.Name, words); err != nil || !reflect.DeepEqual(next, c) {
			t.Errorf("%s as its peer gets it: %v\n%+v\nwant\n%+v", s.Name, err, next, c)
		}
	}
}
