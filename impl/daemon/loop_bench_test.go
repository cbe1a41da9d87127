package daemon

import (
	"testing"
	"time"

	"baton/impl/bfd"
	"baton/impl/clock/boottime"
	"baton/impl/daemon/bfdio"
	"baton/impl/daemon/poller"
	"baton/impl/daemon/record"
	"baton/impl/flow"
	"baton/impl/node"
)

// deaf is a BFD path without a peer.
type deaf struct{ sent int }

func (d *deaf) Send([]byte) error                  { d.sent++; return nil }
func (d *deaf) Receive() ([]bfdio.Datagram, error) { return nil, nil }
func (d *deaf) Drops() (n bfdio.Drops, err error)  { return n, nil }

// bench is a loop with a core and fake ports, driven by the test.
type bench struct {
	*loop
	dp   *memory
	path *deaf
	came []node.Input
}

// answers are the results of effects.
func (b *bench) answers() []node.Input {
	for in, ok := b.driver.Next(); ok; in, ok = b.driver.Next() {
		b.came = append(b.came, in)
	}
	return b.came
}

// every is a session with an interval and a multiplier.
func every(interval time.Duration, mult uint8) bfd.Config {
	return bfd.Config{LocalDiscr: 1, DesiredMinTxInterval: interval, RequiredMinRxInterval: interval, DetectMult: mult}
}

func newBench(t testing.TB, session bfd.Config) *bench {
	t.Helper()
	p, err := poller.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	core, err := node.New(node.Config{
		ID: "lb1", Peer: "lb2", Priority: 100, Incarnation: 1,
		Paths: []node.Path{{Name: "sync", BFD: session}},
	}, boottime.Now())
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{dp: newMemory(), path: &deaf{}}
	recorder := record.New(record.Config{})
	t.Cleanup(func() { recorder.Close(patience) })
	b.loop = &loop{
		now: boottime.Now, dp: b.dp, poller: p, inbox: newInbox(p.Wake), recorder: recorder, log: recorder.Logger(),
		paths: []*bfdPath{{name: "sync", in: b.path, out: b.path, all: b.path}},
		out: outlets{
			send: func(uint64, []byte) {}, reset: func(uint64, string) {}, announce: func(int, int) error { return nil }, client: func(flow.Addr) {},
		},
	}
	b.drive(core)
	return b
}

// mustTurn turns the loop once.
func (b *bench) mustTurn(t *testing.T) {
	t.Helper()
	if err := b.turn(); err != nil {
		t.Fatal(err)
	}
}

// A bench waits for goroutines of its own process, which are nearly idle.
const (
	benchPatience = 10 * time.Second
	benchPause    = 100 * time.Microsecond
)

// settle handles the inbox until a condition is met.
func (b *bench) settle(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(benchPatience); !done(); time.Sleep(benchPause) {
		if time.Now().After(deadline) {
			t.Fatalf("not %s within %v", what, benchPatience)
		}
		for _, i := range b.inbox.take(nil) {
			b.handle(i)
		}
	}
}
