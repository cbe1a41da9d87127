package bpf

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"baton/impl/clock"
	"baton/impl/dataplane"
)

// pair is the programs and their model, given the same inputs.
type pair struct {
	t               *rapid.T
	model, programs subject
	now             clock.Instant
	talk            conversation
	reached         reach
	deferred        [2][]uint64 // replies that the model and the programs hold back
}

// TestProgramsFollowTheModel puts random packets and table operations through the
// programs and through the model. Fate, frame, table, claims, events and counters
// must agree after every step. Ports and capacity are small, so that flows collide.
// reach_test.go lists the outcomes that the sequences must have reached together.
func TestProgramsFollowTheModel(t *testing.T) {
	programsFollowTheModel(t, testConfig(), nil)
}

// TestProgramsFollowTheModelOverIPv6 does the same over IPv6.
func TestProgramsFollowTheModelOverIPv6(t *testing.T) {
	overIPv6(t)
	programsFollowTheModel(t, testConfig(), []string{"client0 drop checksum"})
}

// Over XDP, the two programs of a link together follow the model.
func TestProgramsFollowTheModelOverXDP(t *testing.T) {
	overXDP(t)
	programsFollowTheModel(t, testConfig(), nil)
}

func TestProgramsFollowTheModelOverXDPAndIPv6(t *testing.T) {
	overXDP(t)
	overIPv6(t)
	programsFollowTheModel(t, testConfig(), []string{"client0 drop checksum"})
}

// With the backends of mode dsr-ipip in the other family, too.
func TestProgramsFollowTheModelAcrossFamilies(t *testing.T) {
	overXDP(t)
	acrossFamilies(t)
	t.Run("IPv4 in IPv6", func(t *testing.T) { programsFollowTheModel(t, testConfig(), nil) })
	t.Run("IPv6 in IPv4", func(t *testing.T) {
		overIPv6(t)
		programsFollowTheModel(t, testConfig(), []string{"client0 drop checksum"})
	})
}

func programsFollowTheModel(t *testing.T, cfg dataplane.Config, unknown []string) {
	reached := reach{}
	programs := newProgramSubject(t, cfg)
	specification := newModelSubject(t, cfg)
	draw := func() {
		rapid.Check(t, func(t *rapid.T) { followTheModel(t, programs, specification, reached) })
	}
	if cfg.Defer {
		draw()
		reached.checkDeferred(t) // other tests check the rest
		return
	}
	reached.until(t, unknown, draw)
	if inHook == dataplane.HookXDP {
		reached.checkFast(t)
	}
	if programs.direct == 0 {
		t.Error("the programs never addressed a packet to its neighbour themselves")
	}
}

// followTheModel applies random steps to both, and compares everything that is visible of them.
func followTheModel(t *rapid.T, programs *programSubject, specification subject, reached reach) {
	programs.reset()
	specification.reset()
	p := &pair{t: t, model: specification, programs: programs, now: origin, talk: conversation{}, reached: reached}
	p.both("lease", func(s subject) error { return s.Lease(clock.Never) })
	t.Repeat(map[string]func(*rapid.T){
		"":          p.compare,
		"client":    p.clientPacket,
		"handshake": p.handshake,
		"associate": p.associate,
		"backend":   p.backendPacket,
		"reply":     p.replyPacket,
		"arp":       p.arp,
		"time":      p.passTime,
		"lease":     p.lease,
		"miss":      p.miss,
		"apply":     p.apply,
		"delete":    p.delete,
		"sweep":     p.sweep,
		"services":  p.services,
		"close":     p.closing,
		"idle":      p.idle,
		"fragment":  p.fragment,
		"flood":     p.flood,
		"challenge": p.challenge,
		"adopt":     p.adopt,
		"protocol":  p.protocol,
		"error":     p.icmpErrors,
		"echo":      p.echo,
		"header":    p.headers,
		"size":      p.size,
		"relay":     p.relay,
		"deferred":  p.endReplies,
		"range":     p.ranges,
		"tunnel":    p.tunnelErrors,
		"journeys":  p.journeys,
	})
}

// both applies a step to both, which must both accept or both refuse it.
func (p *pair) both(what string, f func(subject) error) {
	a, b := f(p.model), f(p.programs)
	if (a == nil) != (b == nil) {
		p.t.Fatalf("%s: model %v, programs %v", what, a, b)
	}
}

func (p *pair) send(link string, frame []byte) {
	wantFate, want := fate(p.t, p.model, link, frame)
	gotFate, got := fate(p.t, p.programs, link, frame)
	p.t.Logf("%x on %s: %s", frame, link, wantFate)
	p.reached.fate(wantFate, link)
	if gotFate != wantFate {
		p.t.Fatalf("model %s, programs %s", wantFate, gotFate)
	}
	if !bytes.Equal(got, want) {
		p.t.Fatalf("model    %x\nprograms %x", want, got)
	}
}

func (p *pair) compare(*rapid.T) {
	p.reached.entries(p.t, p.model)
	if diff := difference(table(p.t, p.model), table(p.t, p.programs)); diff != "" {
		p.t.Fatalf("tables differ (-model +programs):\n%s", diff)
	}
	if diff := difference(p.events(0), p.events(1)); diff != "" {
		p.t.Fatalf("events differ (-model +programs):\n%s", diff)
	}
	p.compareDeferred()
	if diff := difference(counters(p.t, p.model), counters(p.t, p.programs)); diff != "" {
		p.t.Fatalf("counters differ (-model +programs):\n%s", diff)
	}
	p.reached.fast(p.programs.(*programSubject).fast)
	if diff := difference(refused(p.t, p.model), refused(p.t, p.programs)); diff != "" {
		p.t.Fatalf("refused flows differ (-model +programs):\n%s", diff)
	}
	checkClaims(p.t, p.model)
	checkClaims(p.t, p.programs)
}

// difference is cmp.Diff, which sorts the keys of maps even if they are equal: a third of the time of these tests.
func difference[T any](model, programs T) string {
	if reflect.DeepEqual(model, programs) {
		return ""
	}
	return cmp.Diff(model, programs)
}
