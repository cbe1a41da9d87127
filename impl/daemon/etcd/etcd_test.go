package etcd

import (
	"context"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"

	"baton/impl/arbiter"
)

// serve starts a cluster of one member on this machine.
func serve(t *testing.T) (endpoint string) {
	t.Helper()
	cfg := embed.NewConfig()
	cfg.Dir, cfg.LogLevel, cfg.LogOutputs = t.TempDir(), "fatal", []string{"/dev/null"}
	listen := func() url.URL {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return url.URL{Scheme: "http", Host: l.Addr().String()}
	}
	client, peer := listen(), listen()
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	select {
	case <-e.Server.ReadyNotify():
	case <-time.After(time.Minute):
		t.Fatal("etcd does not start")
	}
	return client.String()
}

func open(t *testing.T, endpoint, key string, timeout time.Duration) *Store {
	t.Helper()
	s, err := Open(Config{Endpoints: []string{endpoint}, Key: key, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

const patient = 20 * time.Second

// do asks and expects an answer.
func do(t *testing.T, s *Store, q arbiter.Question) arbiter.Answer {
	t.Helper()
	a := s.Do(context.Background(), q)
	if a.Err != "" || a.ID != q.ID {
		t.Fatalf("%+v is answered by %+v", q, a)
	}
	return a
}

// The store behaves as arbiter.Register, with which the rules of the nodes are tested.
func TestTheStoreBehavesAsTheRegisterOfTheModel(t *testing.T) {
	s := open(t, serve(t), "/pair", patient)
	var model arbiter.Register
	revisions := map[uint64]uint64{0: 0} // the store's revision, by the model's
	for i, step := range []struct {
		swap     bool
		revision uint64 // of the model
		record   arbiter.Record
	}{
		{record: arbiter.Record{}},
		{true, 1, arbiter.Record{Alone: "lb2"}}, // a revision that never existed
		{true, 0, arbiter.Record{Alone: "lb1"}},
		{true, 0, arbiter.Record{Alone: "lb2"}}, // too late
		{record: arbiter.Record{}},
		{true, 1, arbiter.Record{Alone: "lb1", Challenger: "lb2"}},
		{true, 1, arbiter.Record{Alone: "lb1"}}, // too late
		{true, 2, arbiter.Record{}},
		{record: arbiter.Record{}},
	} {
		known, ok := revisions[step.revision]
		if !ok {
			known = 1 << 40
		}
		id := uint64(i + 7)
		want := model.Do(arbiter.Question{ID: id, Swap: step.swap, Revision: step.revision, Record: step.record})
		got := do(t, s, arbiter.Question{ID: id, Swap: step.swap, Revision: known, Record: step.record})
		revisions[model.Revision] = got.Revision
		if got.Swapped != want.Swapped || got.Record != want.Record || (got.Revision == 0) != (want.Revision == 0) {
			t.Errorf("step %d: %+v, want %+v", i, got, want)
		}
	}
}

// A deleted record reads as one that was never written, and its revision does not come back.
func TestADeletedRecordReadsAsEmpty(t *testing.T) {
	s := open(t, serve(t), "/pair", patient)
	first := do(t, s, arbiter.Question{Swap: true, Record: arbiter.Record{Alone: "lb1"}})
	if _, err := s.client.Delete(context.Background(), "/pair"); err != nil {
		t.Fatal(err)
	}
	if a := do(t, s, arbiter.Question{}); a.Revision != 0 || a.Record != (arbiter.Record{}) {
		t.Errorf("a deleted record reads as %+v", a)
	}
	again := do(t, s, arbiter.Question{Swap: true, Record: arbiter.Record{Challenger: "lb2"}})
	if !again.Swapped || again.Revision <= first.Revision {
		t.Errorf("a record in place of the deleted one is %+v, after %+v", again, first)
	}
}

// Of many concurrent swaps of one record, one succeeds.
func TestOneSwapOfManySucceeds(t *testing.T) {
	endpoint := serve(t)
	var won atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		s := open(t, endpoint, "/pair", patient)
		all.Go(func() {
			if a := s.Do(context.Background(), arbiter.Question{Swap: true, Record: arbiter.Record{Alone: "lb1"}}); a.Swapped {
				won.Add(1)
			} else if a.Err != "" {
				t.Error(a.Err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d swaps of one record took place, want 1", won.Load())
	}
}

// An unreachable store is an error within the timeout, and the key's value must be a record.
func TestErrors(t *testing.T) {
	nobody := open(t, "http://127.0.0.1:1", "/pair", 100*time.Millisecond)
	if a := nobody.Do(context.Background(), arbiter.Question{ID: 3}); a.Err == "" || a.ID != 3 {
		t.Errorf("nobody answers: %+v", a)
	}
	s := open(t, serve(t), "/pair", patient)
	if _, err := s.client.Put(context.Background(), "/pair", "busy"); err != nil {
		t.Fatal(err)
	}
	if a := s.Do(context.Background(), arbiter.Question{}); !strings.Contains(a.Err, "has no valid arbiter record") {
		t.Errorf("a key of somebody else: %+v", a)
	}
}

// The answers of a cluster that was restored from an old snapshot, or of another cluster, are
// refused.
func TestAnswersOfAnotherOrRestoredClusterAreRefused(t *testing.T) {
	s := open(t, serve(t), "/pair", patient)
	do(t, s, arbiter.Question{Swap: true, Record: arbiter.Record{Alone: "lb1"}})
	latest := s.latest
	s.latest += 100
	if a := s.Do(context.Background(), arbiter.Question{}); !strings.Contains(a.Err, "gone back") {
		t.Errorf("a cluster that has gone back in time: %+v", a)
	}
	s.latest = latest
	do(t, s, arbiter.Question{})
	s.cluster++
	if a := s.Do(context.Background(), arbiter.Question{}); a.Err != errOther.Error() {
		t.Errorf("another cluster: %+v", a)
	}
}
