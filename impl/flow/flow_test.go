package flow

import "testing"

func TestServicesAreWrittenAsTheyAreConfigured(t *testing.T) {
	v4, v6 := IPv4(192, 0, 2, 10), Addr{0: 0x20, 1: 0x01, 15: 0x10}
	for want, s := range map[string]Service{
		"tcp 192.0.2.10:80":        {VIP: v4, Port: 80, Proto: TCP},
		"tcp 192.0.2.10:8000-8999": {VIP: v4, Port: 8000, Last: 8999, Proto: TCP},
		"tcp 192.0.2.10:1-65534":   {VIP: v4, Port: 1, Last: 65534, Proto: TCP},
		"udp [2001::10]:any":       {VIP: v6, Port: 1, Last: LastPort, Proto: UDP},
	} {
		if s.String() != want {
			t.Errorf("%s, want %s", s, want)
		}
	}
}

func TestOnlyRangesThatCrossOverlap(t *testing.T) {
	s := func(first, last uint16) Service { return Service{Port: first, Last: last, Proto: TCP} }
	for _, tt := range []struct {
		a, b Service
		want bool
	}{
		{s(10, 20), s(20, 30), true}, {s(10, 20), s(21, 30), false}, {s(10, 30), s(12, 15), false},
		{s(10, 20), s(10, 30), false}, {s(10, 30), s(20, 30), false}, {s(10, 20), s(20, 0), false}, {s(10, 20), Service{Port: 15, Last: 30, Proto: UDP}, false},
	} {
		if tt.a.Overlaps(tt.b) != tt.want || tt.b.Overlaps(tt.a) != tt.want {
			t.Errorf("%v and %v: want %v", tt.a, tt.b, tt.want)
		}
	}
}
