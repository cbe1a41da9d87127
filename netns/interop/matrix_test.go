package interop_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"baton/impl/bfd"
	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
)

const ms = time.Millisecond

// TestLife runs a session through its life with each peer over each protocol.
func TestLife(t *testing.T) {
	for _, name := range []string{"FRR", "BIRD"} {
		for _, protocol := range []string{"IPv4", "IPv6"} {
			t.Run(name+" "+protocol, func(t *testing.T) {
				t.Parallel()
				life(t, kind{name: name, protocol: protocol})
			})
		}
	}
}

func life(t *testing.T, k kind) {
	l := newLab(t)
	p := start(t, l, k, 50*ms)
	l.speak(session(k.protocol, 50*ms))
	cells := []struct {
		name string
		run  func(*testing.T)
	}{
		{"Up at 50 ms", func(t *testing.T) { agree(t, l, p, 50*ms) }},
		{"Poll by us", func(t *testing.T) {
			l.wire.forget()
			l.command(t, func(c *control.Client) error { return c.BFDIntervals(l.ctx, "peer", 80*ms, 80*ms) })
			agreeOn(t, l, p, 80*ms)
			polled(t, l, true)
		}},
		{"Poll by them", func(t *testing.T) {
			l.wire.forget()
			if err := p.set(l.ctx, 120*ms, true); err != nil {
				t.Fatal(err)
			}
			agreeOn(t, l, p, 120*ms)
			polled(t, l, false)
		}},
		{"AdminDown by us", func(t *testing.T) {
			l.command(t, func(c *control.Client) error { return c.BFDAdminDown(l.ctx, "peer", true) })
			reported(t, l, p, "Down")
			l.command(t, func(c *control.Client) error { return c.BFDAdminDown(l.ctx, "peer", false) })
			l.await(t, "our session is Up again", up)
			reported(t, l, p, "Up")
		}},
		{"AdminDown by them", func(t *testing.T) {
			if k.name == "BIRD" {
				disabled(t, l, p.(*birdPeer))
				cannot(t, "a protocol that is disabled sends nothing more: we go Down when the Detection Time is over, and Up once it is enabled")
			}
			if err := p.set(l.ctx, 120*ms, false); err != nil {
				t.Fatal(err)
			}
			l.await(t, "our session heard AdminDown", func(s control.BFDSession) bool {
				return s.State == "Down" && s.RemoteState == "AdminDown" && s.Diag == "Neighbor Signaled Session Down"
			})
			if err := p.set(l.ctx, 120*ms, true); err != nil {
				t.Fatal(err)
			}
			l.await(t, "our session is Up again", up)
			reported(t, l, p, "Up")
		}},
		{"our crash seen by them", func(t *testing.T) { ourCrash(t, l, p, 360*ms) }},
		{"their crash seen by us", func(t *testing.T) {
			l.speak(session(k.protocol, 50*ms))
			l.await(t, "our session is Up after a restart", up)
			theirCrash(t, l, p)
		}},
	}
	for _, c := range cells {
		if !t.Run(c.name, func(t *testing.T) { cell(t); c.run(t) }) {
			return // the cells build on one another
		}
	}
}

// disabled makes BIRD disable its protocol, its closest equivalent to AdminDown, and pins
// the result: if BIRD sent AdminDown, this would be a cell like FRR's.
func disabled(t *testing.T, l *lab, p *birdPeer) {
	t.Helper()
	l.wire.forget()
	if err := p.Enable(l.ctx, false); err != nil {
		t.Fatal(err)
	}
	l.await(t, "our session misses BIRD", func(s control.BFDSession) bool {
		return s.State == "Down" && s.RemoteState == "Up" && s.Diag == "Control Detection Time Expired"
	})
	if n := l.wire.count(false, func(p bfd.Packet) bool { return p.State != bfd.Up }); n != 0 {
		t.Errorf("BIRD said in %d packets that it was not Up any more", n)
	}
	if err := p.Enable(l.ctx, true); err != nil {
		t.Fatal(err)
	}
	l.await(t, "our session is Up again", up)
	reported(t, l, p, "Up")
}

// agree waits until the session is Up with an interval that both sides report.
func agree(t *testing.T, l *lab, p peer, interval time.Duration) {
	t.Helper()
	l.await(t, "our session is Up", up)
	agreeOn(t, l, p, interval)
}

func agreeOn(t *testing.T, l *lab, p peer, interval time.Duration) {
	t.Helper()
	l.await(t, fmt.Sprintf("our session runs at %v", interval), func(s control.BFDSession) bool {
		return up(s) && s.Transmit == interval && s.Detection == 3*interval
	})
	wait(t, fmt.Sprintf("the peer reports %v", interval), func() (bool, string) {
		r, err := p.report(l.ctx)
		return err == nil && r == report{state: "Up", transmit: interval, detection: 3 * interval}, fmt.Sprintf("%+v, %v", r, err)
	})
}

func reported(t *testing.T, l *lab, p peer, state string) {
	t.Helper()
	wait(t, "the peer reports "+state, func() (bool, string) {
		r, err := p.report(l.ctx)
		return err == nil && r.state == state, fmt.Sprintf("%+v, %v", r, err)
	})
}

// polled requires a Poll of one side and a Final of the other on the wire.
func polled(t *testing.T, l *lab, ours bool) {
	t.Helper()
	polls := l.wire.count(ours, func(p bfd.Packet) bool { return p.Poll && p.State == bfd.Up })
	finals := l.wire.count(!ours, func(p bfd.Packet) bool { return p.Final && p.State == bfd.Up })
	if polls == 0 || finals == 0 {
		t.Errorf("%d Polls and %d Finals on the wire, want some of each", polls, finals)
	}
}

// slack is the maximum delay in noticing a timer of either side, beyond the Detection Time.
// If the host stalled for longer, the result proves nothing.
const slack = 30 * ms

// judge compares a measured Detection Time with the negotiated one.
func judge(t *testing.T, measured, detection, stalled time.Duration) {
	t.Helper()
	t.Logf("declared down after %v, Detection Time %v, worst stall of the host %v", measured, detection, stalled)
	switch {
	case measured < detection-ms:
		t.Errorf("declared down after %v, before the Detection Time of %v was over", measured, detection)
	case measured > detection+slack && stalled > slack/2:
		t.Skipf("inconclusive: the host stood still for %v, declared down after %v", stalled, measured)
	case measured > detection+slack:
		t.Errorf("declared down after %v, want %v and at most %v more", measured, detection, slack)
	}
}

func theirCrash(t *testing.T, l *lab, p peer) {
	t.Helper()
	var s control.BFDSession
	stalled := stalls(l.speaker.PID(), func() {
		if err := p.kill(l.ctx); err != nil {
			t.Fatal(err)
		}
		s = l.await(t, "our session is Down", func(s control.BFDSession) bool { return s.State == "Down" })
	})
	down := s.Changes[len(s.Changes)-1]
	if down.Diag != "Control Detection Time Expired" {
		t.Fatalf("went down for %q", down.Diag)
	}
	judge(t, down.At.Sub(down.LastReceived), 3*max(s.Ours.MinRx, s.Theirs.MinTx), stalled)
}

func ourCrash(t *testing.T, l *lab, p peer, detection time.Duration) {
	t.Helper()
	l.wire.forget()
	stalled := stalls(p.pid(), func() {
		wait(t, "a packet of ours on the wire", func() (bool, string) {
			return l.wire.count(true, func(bfd.Packet) bool { return true }) > 0, "none"
		})
		l.crash(t)
		wait(t, "the peer says Down on the wire", func() (bool, string) { return l.wire.silence() > 0, "nothing" })
	})
	reported(t, l, p, "Down")
	judge(t, l.wire.silence(), detection, stalled)
}

// TestIntervals: 10 and 300 ms, Up and a crash of theirs; 50 ms is TestLife's.
func TestIntervals(t *testing.T) {
	for _, name := range []string{"FRR", "BIRD"} {
		for _, interval := range []time.Duration{10 * ms, 300 * ms} {
			t.Run(fmt.Sprintf("%s %v", name, interval), func(t *testing.T) {
				t.Parallel()
				cell(t)
				l := newLab(t)
				p := start(t, l, kind{name: name, protocol: "IPv4"}, interval)
				l.speak(session("IPv4", interval))
				agree(t, l, p, interval)
				theirCrash(t, l, p)
			})
		}
	}
}

// TestMultihop: RFC 5883 on port 4784.
func TestMultihop(t *testing.T) {
	for _, name := range []string{"FRR", "BIRD"} {
		for _, protocol := range []string{"IPv4", "IPv6"} {
			t.Run(name+" "+protocol, func(t *testing.T) {
				t.Parallel()
				cell(t)
				l := newLab(t)
				p := start(t, l, kind{name: name, protocol: protocol, multihop: true}, 50*ms)
				s := session(protocol, 50*ms)
				s.Mode, s.Interface, s.MinTTL = config.MultiHop, "", 255
				if name == "BIRD" {
					s.MinTTL = 64 // as BIRD sends
				}
				l.speak(s)
				agree(t, l, p, 50*ms)
				theirCrash(t, l, p)
			})
		}
	}
}

// TestAuthentication: each type that BIRD supports, with the wrong key, which both sides
// reject, and with the right one. FRR's bfdd supports none.
func TestAuthentication(t *testing.T) {
	t.Run("FRR", func(t *testing.T) {
		t.Parallel()
		cell(t)
		l := newLab(t)
		p := start(t, l, kind{name: "FRR", protocol: "IPv4"}, 50*ms).(*frrPeer)
		withoutAuthentication(t, l, p)
		cannot(t, "bfdd has no command for it, and its packets, which authenticate nothing, are discarded by a session of ours that does")
	})
	for ours, theirs := range map[config.BFDAuthType]string{
		config.AuthSimple: "simple", config.AuthMD5: "keyed md5", config.AuthMeticulousMD5: "meticulous keyed md5",
		config.AuthSHA1: "keyed sha1", config.AuthMeticulousSHA1: "meticulous keyed sha1",
	} {
		t.Run("BIRD "+string(ours), func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			auth := func(secret string) string {
				return fmt.Sprintf("authentication %s; password %q { id 7; };", theirs, secret)
			}
			p := start(t, l, kind{name: "BIRD", protocol: "IPv4", auth: auth("not the key")}, 50*ms).(*birdPeer)
			s := session("IPv4", 50*ms)
			s.Auth = config.BFDAuth{Type: ours, Keys: []config.BFDKey{{ID: 7, Secret: "interop key"}}, Send: 7}
			l.speak(s)
			t.Run("wrong key", func(t *testing.T) {
				cell(t)
				got := l.await(t, "packets with the wrong key are discarded", func(s control.BFDSession) bool { return s.Counters.Dropped["auth_digest"] >= 3 })
				if got.State != "Down" || got.Counters.Received != 0 {
					t.Errorf("state %s, %d packets accepted; want Down and none", got.State, got.Counters.Received)
				}
				if n := l.wire.count(false, func(p bfd.Packet) bool { return p.State != bfd.Down }); n != 0 {
					t.Errorf("BIRD left Down in %d packets", n)
				}
			})
			t.Run("right key", func(t *testing.T) {
				cell(t)
				p.kind.auth = auth("interop key")
				if err := p.set(l.ctx, 50*ms, true); err != nil {
					t.Fatal(err)
				}
				agree(t, l, p, 50*ms)
			})
		})
	}
}

// withoutAuthentication pins that bfdd cannot configure authentication, and that a session
// of ours with a key accepts none of its packets.
func withoutAuthentication(t *testing.T, l *lab, p *frrPeer) {
	t.Helper()
	commands, err := p.Run(l.ctx, "configure terminal", "bfd", p.head(), "list")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(commands, "detect-multiplier") {
		t.Fatalf("these are not the commands of a session: %s", commands)
	}
	for _, word := range []string{"auth", "password", "key-chain", "sha1", "md5"} {
		if strings.Contains(commands, word) {
			t.Errorf("bfdd has a command with %q: test authentication with it", word)
		}
	}
	s := session("IPv4", 50*ms)
	s.Auth = config.BFDAuth{Type: config.AuthSHA1, Keys: []config.BFDKey{{ID: 7, Secret: "interop key"}}, Send: 7}
	l.speak(s)
	got := l.await(t, "packets without authentication are discarded", func(s control.BFDSession) bool { return s.Counters.Dropped["auth_missing"] >= 3 })
	if got.State != "Down" || got.Counters.Received != 0 {
		t.Errorf("state %s, %d packets accepted; want Down and none", got.State, got.Counters.Received)
	}
}
