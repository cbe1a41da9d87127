package transport

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"
)

// The ends agree on the newest protocol that both offer, or name what they do not share.
func TestTheEndsAgreeOnAProtocol(t *testing.T) {
	for _, tt := range []struct {
		dialler, listener []string
		agreed            string
	}{
		{[]string{"sync/2", "sync/1"}, []string{"sync/2", "sync/1"}, "sync/2"},
		{[]string{"sync/2", "sync/1"}, []string{"sync/1"}, "sync/1"},
		{[]string{"sync/1"}, []string{"sync/2", "sync/1"}, "sync/1"},
		{[]string{"sync/3"}, []string{"sync/2", "sync/1"}, ""},
	} {
		d, l := configs(t)
		d.Protocols, l.Protocols = tt.dialler, tt.listener
		listener, dialler := start(t, l), start(t, d)
		if tt.agreed == "" {
			listener.refuses(t, "unsupported application protocols")
			dialler.refuses(t, "no application protocol")
			continue
		}
		dialler.wait(t, "up 1")
		listener.wait(t, "up 1")
		for end, r := range map[string]*recorder{"dialler": dialler.recorder, "listener": listener.recorder} {
			if r.agreed() != tt.agreed {
				t.Errorf("%v and %v: the %s speaks %q, want %q", tt.dialler, tt.listener, end, r.agreed(), tt.agreed)
			}
		}
	}
}

func TestFramesArriveInOrderBothWays(t *testing.T) {
	d, l := configs(t)
	dialler := start(t, d) // first, so that it has to try again
	listener := start(t, l)
	dialler.wait(t, "up 1")
	listener.wait(t, "up 1")
	for i := range 1000 {
		dialler.Send(1, fmt.Appendf(nil, "d%03d", i))
		listener.Send(1, fmt.Appendf(nil, "l%03d", i))
	}
	dialler.waitFor(t, "frame 1: l", 1000)
	listener.waitFor(t, "frame 1: d", 1000)
	for i, e := range listener.events[1:] {
		if want := fmt.Sprintf("frame 1: d%03d", i); e != want {
			t.Fatalf("event %d is %q, want %q", i, e, want)
		}
	}
}

func TestResetIsReportedAtBothEndsAndHeals(t *testing.T) {
	d, l := configs(t)
	listener, dialler := start(t, l), start(t, d)
	for round := 1; round <= 3; round++ {
		dialler.wait(t, fmt.Sprintf("up %d", round))
		listener.wait(t, fmt.Sprintf("up %d", round))
		if round%2 == 1 {
			dialler.Reset(uint64(round), "BFD path sync is down")
			dialler.wait(t, fmt.Sprintf("down %d: ended here: BFD path sync is down", round))
			listener.wait(t, fmt.Sprintf("down %d: ended by peer: BFD path sync is down", round))
		} else {
			listener.Reset(uint64(round), "BFD path sync is down")
			listener.wait(t, fmt.Sprintf("down %d: ended here: BFD path sync is down", round))
			dialler.wait(t, fmt.Sprintf("down %d: ended by peer: BFD path sync is down", round))
		}
	}
}

func TestTheListenersPeerMayRestart(t *testing.T) {
	d, l := configs(t)
	listener := start(t, l)
	first := start(t, d)
	first.wait(t, "up 1")
	listener.wait(t, "up 1")
	// A second connection of the authenticated peer while the first is open: the first is
	// from before a crash that this end has not noticed.
	second := start(t, d)
	second.wait(t, "up 1")
	listener.wait(t, "up 2")
	listener.wait(t, "down 1: replaced: by a newer one")
	first.wait(t, "down 1")
}

func TestTheDiallersPeerMayRestart(t *testing.T) {
	d, l := configs(t)
	listener := start(t, l)
	dialler := start(t, d)
	dialler.wait(t, "up 1")
	if !dialler.Status().Up {
		t.Error("the status does not know the stream")
	}
	listener.stop()
	dialler.wait(t, "down 1")
	for deadline := time.Now().Add(patience); dialler.Status().Up; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the status keeps a stream that has ended")
		}
	}
	again := start(t, l) // the same port: SO_REUSEADDR
	again.wait(t, "up 1")
	dialler.wait(t, "up 2")
}

func TestSendWithoutAStreamIsDropped(t *testing.T) {
	d, _ := configs(t)
	dialler := start(t, d)
	dialler.Send(1, []byte("nobody listens"))
	dialler.Reset(1, "nothing to reset")
	dialler.Flush(time.Second)
}

// greeter is a Handler that sends as soon as its stream is up.
type greeter struct {
	*recorder
	send func(id uint64, payload []byte)
}

func (g greeter) StreamUp(id uint64, protocol string) {
	g.recorder.StreamUp(id, protocol)
	for i := range 10 {
		g.send(id, fmt.Appendf(nil, "greeting %d", i))
	}
}

// TestTheFirstFramesArrive: what either end sends as soon as its stream is up is not lost
// between the handshake and the reader.
func TestTheFirstFramesArrive(t *testing.T) {
	d, l := configs(t)
	var ends [2]*greeter
	for i, cfg := range []Config{d, l} {
		cfg.Log, cfg.Retry = slog.New(slog.DiscardHandler), 5*time.Millisecond
		ends[i] = &greeter{recorder: newRecorder()}
		tr, err := New(cfg, ends[i])
		if err != nil {
			t.Fatal(err)
		}
		ends[i].send = tr.Send
		run(t, tr)
	}
	for i, end := range ends {
		end.waitFor(t, "frame", 10)
		for j, got := range end.list() {
			want := fmt.Sprintf("frame 1: greeting %d", j-1)
			if j == 0 {
				want = "up 1"
			}
			if got != want {
				t.Errorf("end %d: event %d is %q, want %q", i, j, got, want)
			}
		}
	}
}

// TestAFrameForAClosedStreamIsDropped pins that a frame for one stream never reaches the
// next.
func TestAFrameForAClosedStreamIsDropped(t *testing.T) {
	d, l := configs(t)
	listener, dialler := start(t, l), start(t, d)
	dialler.wait(t, "up 1")
	dialler.Reset(1, "first")
	dialler.wait(t, "up 2")
	dialler.Send(1, []byte("late"))
	dialler.Reset(1, "late")
	dialler.Send(2, []byte("in time"))
	listener.wait(t, "frame 2: in time")
	if listener.has("frame 2: late") || dialler.has("down 2") {
		t.Errorf("listener %s; dialler %s", listener, dialler)
	}
}

func TestFlushWaitsForWhatWasSent(t *testing.T) {
	d, l := configs(t)
	listener, dialler := start(t, l), start(t, d)
	dialler.wait(t, "up 1")
	dialler.Send(1, []byte("the last word"))
	dialler.Flush(patience)
	dialler.stop()
	listener.wait(t, "frame 1: the last word")
}

// blocking is a Handler whose frames never end: a peer that does not read.
type blocking struct {
	*recorder
	release chan struct{}
}

func (b blocking) StreamFrame(uint64, []byte) { <-b.release }

func TestSendNeverBlocks(t *testing.T) {
	d, l := configs(t)
	d.MaxQueued = 4 << 20
	slow := blocking{newRecorder(), make(chan struct{})}
	l.Log = slog.New(slog.DiscardHandler)
	tr, err := New(l, slow)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); tr.Run(ctx) }()
	dialler := start(t, d)
	dialler.wait(t, "up 1")
	payload := make([]byte, 64<<10)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for range 4096 { // 256 MiB, more than all buffers between the two
			dialler.Send(1, payload)
			if dialler.has("down 1") {
				break
			}
		}
	}()
	select {
	case <-sent:
	case <-time.After(patience):
		t.Error("Send blocks while the peer does not read")
	}
	dialler.wait(t, "down 1: overflow: ")
	close(slow.release)
	cancel()
	<-ended
}

func TestATooLongFrameEndsTheStream(t *testing.T) {
	d, l := configs(t)
	d.MaxFrame, l.MaxFrame = 1<<20, 1000
	listener, dialler := start(t, l), start(t, d)
	dialler.wait(t, "up 1")
	dialler.Send(1, make([]byte, 1001))
	listener.wait(t, "down 1: lost: read: transport: frame of 1001 bytes is longer than 1000")
	dialler.wait(t, "down 1")
}

func TestOnlyThePeerItselfIsAccepted(t *testing.T) {
	dir, other := certificates(t, "lb1", "lb2", "lb3"), certificates(t, "lb1", "lb2")
	as := func(dir, id, peer string) *tls.Config { return identity(t, dir, id).Peer(peer) }
	for _, tt := range []struct {
		name                  string
		dialler               func() *tls.Config
		atListener, atDialler string
		dialFrom              string
	}{
		{name: "certificate of another authority", dialler: func() *tls.Config {
			cfg := as(other, "lb1", "lb2")
			cfg.RootCAs = as(dir, "lb1", "lb2").RootCAs
			return cfg
		}, atListener: "certificate signed by unknown authority", atDialler: "refused by the peer"},
		{name: "the other node is not of our authority", dialler: func() *tls.Config {
			cfg := as(dir, "lb1", "lb2")
			cfg.RootCAs = as(other, "lb1", "lb2").RootCAs
			return cfg
		}, atListener: "bad certificate", atDialler: "certificate signed by unknown authority"},
		{name: "certificate of another node", dialler: func() *tls.Config { return as(dir, "lb3", "lb2") },
			atListener: "names lb3, not lb1", atDialler: "refused by the peer"},
		{name: "no certificate", dialler: func() *tls.Config {
			cfg := as(dir, "lb1", "lb2")
			cfg.Certificates = nil
			return cfg
		}, atListener: "client didn't provide a certificate", atDialler: "refused by the peer"},
		{name: "TLS 1.2", dialler: func() *tls.Config {
			cfg := as(dir, "lb1", "lb2")
			cfg.MinVersion, cfg.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
			return cfg
		}, atListener: "unsupported versions", atDialler: "protocol version not supported"},
		{name: "connection from another address", dialler: func() *tls.Config { return as(dir, "lb1", "lb2") },
			atListener: "connection from 127.0.0.3", dialFrom: "127.0.0.3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			one, two := freePort(t, "127.0.0.1"), freePort(t, "127.0.0.2")
			l := Config{ID: "lb2", Peer: "lb1", Local: two, Remote: one, Protocols: spoken, TLS: as(dir, "lb2", "lb1")}
			d := Config{ID: "lb1", Peer: "lb2", Local: one, Remote: two, Protocols: spoken, TLS: tt.dialler()}
			if tt.dialFrom != "" {
				d.Local = netip.MustParseAddrPort(tt.dialFrom + ":1")
			}
			listener, dialler := start(t, l), start(t, d)
			listener.refuses(t, tt.atListener)
			dialler.refuses(t, tt.atDialler)
			if listener.has("up") || dialler.has("up") {
				t.Errorf("a stream came up: listener %s; dialler %s", listener, dialler)
			}
		})
	}
}

// TestConnectionsThatSayNothingAreCounted: once all places are taken, a further connection is refused, and the
// listener says why.
func TestConnectionsThatSayNothingAreCounted(t *testing.T) {
	_, cfg := configs(t)
	listener := start(t, cfg)
	from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: cfg.Remote.Addr().AsSlice()}}
	for range maxHandshakes + 1 {
		silent, err := from.DialContext(t.Context(), "tcp", cfg.Local.String())
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
	}
	listener.refuses(t, "8 other connections from the peer's address are in authentication")
	if n := listener.Status().Ends[Unauthenticated]; n == 0 { // the one for which there was no place
		t.Error("nothing is counted as not authenticated")
	}
}

// TestAPeerThatIsStoppedIsSilent: its kernel accepts connections, and nobody answers on them. Nothing is wrong with its
// certificate, and it is asked as often as if it could not be reached.
func TestAPeerThatIsStoppedIsSilent(t *testing.T) {
	cfg, other := configs(t)
	cfg.HandshakeTimeout = 20 * time.Millisecond
	stopped, err := net.Listen("tcp", other.Local.String())
	if err != nil {
		t.Fatal(err)
	}
	defer stopped.Close()
	dialler := start(t, cfg)
	dialler.refuses(t, "TLS handshake: context deadline exceeded")
	for deadline := time.Now().Add(patience); dialler.Status().Ends[Silent] < 3; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", dialler.Status())
		}
	}
	if s := dialler.Status(); s.Last.Cause != Silent || s.Ends[Unauthenticated] > 0 || s.Failures < 3 {
		t.Errorf("%+v", s)
	}
}

// TestAListenerThatIsNotThePeerIsRefused is the other direction: the dialler also checks
// the name.
func TestAListenerThatIsNotThePeerIsRefused(t *testing.T) {
	dir := certificates(t, "lb1", "lb2", "lb3")
	one, two := freePort(t, "127.0.0.1"), freePort(t, "127.0.0.2")
	listener := start(t, Config{ID: "lb3", Peer: "lb1", Local: two, Remote: one, Protocols: spoken, TLS: identity(t, dir, "lb3").Peer("lb1")})
	dialler := start(t, Config{ID: "lb1", Peer: "lb2", Local: one, Remote: two, Protocols: spoken, TLS: identity(t, dir, "lb1").Peer("lb2")})
	dialler.refuses(t, "lb3")
	if listener.has("up") || dialler.has("up") {
		t.Errorf("a stream came up: listener %s; dialler %s", listener, dialler)
	}
}

// counter is a Handler that counts bytes up to a goal.
type counter struct {
	left int
	up   chan struct{}
	done chan struct{}
}

func (c *counter) StreamUp(uint64, string)   { close(c.up) }
func (c *counter) StreamDown(uint64, string) {}
func (c *counter) StreamFrame(_ uint64, p []byte) {
	if c.left -= len(p); c.left == 0 {
		close(c.done)
	}
}

// BenchmarkFrames compares frame sizes: the throughput of one stream over the
// loopback, TLS included.
func BenchmarkFrames(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 16 << 10} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			d, l := configs(b)
			l.Log = slog.New(slog.DiscardHandler)
			sink := &counter{left: b.N * size, up: make(chan struct{}), done: make(chan struct{})}
			tr, err := New(l, sink)
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan struct{})
			go func() { defer close(ended); tr.Run(ctx) }()
			dialler := start(b, d)
			dialler.wait(b, "up 1")
			payload := make([]byte, size)
			b.SetBytes(int64(size))
			b.ResetTimer()
			for range b.N {
				dialler.Send(1, payload)
				if s := dialler.current.Load(); s != nil && s.queued.Load() > 8<<20 {
					dialler.Flush(time.Second) // in place of the core's window
				}
				for s := dialler.current.Load(); s != nil && len(s.queue) > maxFrames/2; {
					dialler.Flush(time.Second)
				}
			}
			<-sink.done
			b.StopTimer()
			cancel()
			<-ended
		})
	}
}
