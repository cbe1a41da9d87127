package catalog

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func service(name string, texts ...string) Service {
	var all [Parts]string
	copy(all[:], texts)
	return Of(name, all)
}

func TestADifferenceNamesServiceAndPart(t *testing.T) {
	web := service("web", "tcp 198.18.0.100:80", "fullnat", "rr", "198.18.1.100", "198.18.1.11:80", "1", "none")
	with := func(part Part, text string) Service {
		s := service("web", "tcp 198.18.0.100:80", "fullnat", "rr", "198.18.1.100", "198.18.1.11:80", "1", "none")
		s.Digests[part] = Of("", [Parts]string{text}).Digests[0]
		return s
	}
	older := Service{"web", web.Digests[:Mode]}
	for _, tt := range []struct {
		name         string
		mine, theirs []Service
		want         string
	}{
		{"the same", []Service{web}, []Service{web}, ""},
		{"nothing at all", nil, nil, ""},
		{"another backend", []Service{web}, []Service{with(Backends, "198.18.1.12:80")}, "web: backends"},
		{"another address", []Service{web}, []Service{with(Address, "tcp 198.18.0.100:81")}, "web: address"},
		{"another check", []Service{web}, []Service{with(Check, "tcp")}, "web: check"},
		{"one that the peer lacks", []Service{web, service("old")}, []Service{web}, "old: only here"},
		{"one that this node lacks", []Service{web}, []Service{web, service("new")}, "new: only at the peer"},
		{"no order", []Service{service("b"), service("a")}, []Service{service("a"), service("b")}, ""},
		{"fewer parts at the peer", []Service{web}, []Service{older}, ""},
		{"many services", []Service{service("a"), service("b"), service("c"), service("d"), service("e"), service("f")}, nil,
			"a: only here; b: only here; c: only here; d: only here; and 2 more services"},
	} {
		differences := New(tt.mine).Compare(New(tt.theirs))
		if got := Words(differences); got != tt.want || (len(differences) == 0) != (tt.want == "") {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	two := with(Mode, "dnat")
	two.Digests[SNAT] = 0
	if got := Words(New([]Service{web}).Compare(New([]Service{two}))); got != "web: mode, snat" {
		t.Errorf("two parts: %q", got)
	}
}

func TestInvalidEncodedCatalogsAreRefused(t *testing.T) {
	good := New([]Service{service("a"), service("b")}).Append(nil)
	edit := func(f func([]byte) []byte) []byte { return f(append([]byte(nil), good...)) }
	for _, tt := range []struct {
		name string
		b    []byte
		want string
	}{
		{"empty", nil, "cut short"},
		{"cut", good[:len(good)-1], "cut short"},
		{"a byte too many", edit(func(b []byte) []byte { return append(b, 0) }), "too many"},
		{"not in order", edit(func(b []byte) []byte { b[3] = 'c'; return b }), "not in order"},
		{"no name", []byte{0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, "is not of 1 to 63"},
		{"no digest", []byte{0, 1, 1, 'a', 0}, "0 digests"},
		{"too many services", []byte{1, 1}, "257 services > 256"},
	} {
		if _, err := Decode(tt.b); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestTheLargestCatalogFitsIntoAMessage(t *testing.T) {
	var all []Service
	for i := range MaxServices {
		all = append(all, service(strings.Repeat("x", MaxName-3)+string([]byte{'a' + byte(i/26/26), 'a' + byte(i/26%26), 'a' + byte(i%26)})))
	}
	c := New(all)
	if n := len(c.Append(nil)); c.Validate() != nil || n > 60<<10 {
		t.Errorf("%d bytes, %v", n, c.Validate())
	}
}

func TestACatalogIsDecodedAsItWasEncoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,8}`), 0, 8, rapid.ID[string]).Draw(t, "names")
		var all []Service
		for _, name := range names {
			all = append(all, Service{name, rapid.SliceOfN(rapid.Uint64(), 1, maxParts).Draw(t, "digests")})
		}
		c := New(all)
		got, err := Decode(c.Append(nil))
		if err != nil || len(got) != len(c) || len(c) > 0 && !reflect.DeepEqual(got, c) {
			t.Fatalf("%v became %v: %v", c, got, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(New([]Service{service("a"), service("b")}).Append(nil))
	f.Add([]byte{0, 1, 1, 'a', 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Decode(b)
		if err != nil {
			return
		}
		if again := c.Append(nil); string(again) != string(b) {
			t.Errorf("%x was read as %v, which is written as %x", b, c, again)
		}
	})
}
