package etcd

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"baton/impl/arbiter"
)

// road is a TCP proxy to the cluster that can refuse connections, or hold them without an answer.
type road struct {
	t       *testing.T
	address string
	target  string

	mu       sync.Mutex
	listener net.Listener
	mute     bool
	open     []net.Conn
}

func newRoad(t *testing.T, endpoint string) *road {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &road{t: t, address: l.Addr().String(), target: endpoint[len("http://"):]}
	_ = l.Close()
	r.answer()
	t.Cleanup(r.refuse)
	return r
}

// answer lets connections through from now on.
func (r *road) answer() { r.listen(false) }

// hold accepts connections and passes nothing.
func (r *road) hold() {
	r.refuse()
	r.listen(true)
}

func (r *road) listen(mute bool) {
	l, err := net.Listen("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	r.listener, r.mute = l, mute
	r.mu.Unlock()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.take(c)
		}
	}()
}

func (r *road) take(c net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = append(r.open, c)
	if r.mute {
		return
	}
	to, err := net.Dial("tcp", r.target)
	if err != nil {
		_ = c.Close()
		return
	}
	r.open = append(r.open, to)
	go func() { _, _ = io.Copy(c, to) }()
	go func() { _, _ = io.Copy(to, c) }()
}

// refuse closes all connections and refuses new ones.
func (r *road) refuse() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.listener.Close()
	for _, c := range r.open {
		_ = c.Close()
	}
	r.open = nil
}

// A store that was out of reach for long is asked soon after it can be reached again, whether its
// connections were refused or not answered: the node that has lost its peer has nobody else to ask.
func TestTheStoreIsReachedSoonAfterAnOutage(t *testing.T) {
	const timeout = 500 * time.Millisecond
	endpoint := serve(t)
	for name, out := range map[string]func(r *road){"refused": (*road).refuse, "not answered": (*road).hold} {
		t.Run(name, func(t *testing.T) {
			r := newRoad(t, endpoint)
			s := open(t, "http://"+r.address, "/pair", timeout)
			ask := func() string { return s.Do(context.Background(), arbiter.Question{}).Err }
			for deadline := time.Now().Add(patient); ask() != ""; {
				if time.Now().After(deadline) {
					t.Fatal("no answer before the outage")
				}
			}
			out(r)
			for end := time.Now().Add(6 * time.Second); time.Now().Before(end); time.Sleep(timeout / 10) {
				if ask() == "" {
					t.Fatal("an answer in the outage")
				}
			}
			// Connections that were not answered stay open: nobody tells the client that they are dead.
			r.mu.Lock()
			r.mute = false
			_ = r.listener.Close()
			r.mu.Unlock()
			r.answer()
			// A question ends within its timeout. What takes longer is the host's, and does not count.
			const each = timeout + 2*timeout/10
			took := time.Duration(0)
			for began := time.Now(); ask() != ""; began = time.Now() {
				time.Sleep(timeout / 10)
				if took += min(time.Since(began), each); took > 3*timeout {
					t.Fatalf("no answer %v after the store can be reached again", took)
				}
			}
			t.Logf("unanswered for %v after the store can be reached again", took)
		})
	}
}
