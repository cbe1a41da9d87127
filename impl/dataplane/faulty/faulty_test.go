package faulty

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

var service = flow.Service{VIP: flow.Addr{198, 18, 0, 100}, Port: 80, Proto: flow.TCP}

// wrapped is a wrapped model.
func wrapped(t *testing.T) *Dataplane {
	t.Helper()
	m, err := model.New(dataplane.Config{ClientLink: "client0", BackendLink: "backend0", MaxFlows: 100,
		SNATPorts: dataplane.PortRange{First: 20000, Last: 39999}, Timeouts: dataplane.DefaultTimeouts(),
		Services: []dataplane.Service{{Service: service, Name: "web", Mode: dataplane.DNAT, Balance: dataplane.RoundRobin,
			SNAT: flow.Addr{198, 18, 1, 100}, Backends: []dataplane.Backend{{Addr: flow.Addr{198, 18, 1, 11}, Port: 80}}}}}, model.Host{})
	if err != nil {
		t.Fatal(err)
	}
	return Wrap(m, 100)
}

func entry(port uint16) flow.Entry {
	client, backend := flow.Addr{198, 18, 0, 11}, flow.Addr{198, 18, 1, 11}
	return flow.Entry{State: flow.Established, Origin: flow.Synced, Remaining: dataplane.DefaultTimeouts().Established,
		Original: flow.Tuple{Src: client, SrcPort: port, Dst: service.VIP, DstPort: 80, Proto: flow.TCP},
		Reply:    flow.Tuple{Src: backend, SrcPort: 80, Dst: client, DstPort: port, Proto: flow.TCP}}
}

// TestEachFaultFailsWhatItNames, and no call fails after Mend.
func TestEachFaultFailsWhatItNames(t *testing.T) {
	calls := map[string]func(*Dataplane) error{
		"apply new":   func(d *Dataplane) error { return d.Apply([]flow.Entry{entry(2)}) },
		"apply known": func(d *Dataplane) error { return d.Apply([]flow.Entry{entry(1)}) },
		"merge new":   func(d *Dataplane) error { return d.Merge([]flow.Entry{entry(3)}, nil) },
		"delete":      func(d *Dataplane) error { return d.Delete([]flow.Tuple{entry(9).Original}) },
		"miss":        func(d *Dataplane) error { return d.SetMiss(dataplane.MissAdopt) },
		"services":    func(d *Dataplane) error { return d.SetServices(nil, nil) },
		"dump":        func(d *Dataplane) error { return d.Dump(func(flow.Entry) bool { return true }) },
		"sweep":       func(d *Dataplane) error { _, err := d.Sweep(0, 0); return err },
		"poll":        func(d *Dataplane) error { _, err := d.Poll(1, func(flow.Event) {}); return err },
	}
	for f, fails := range map[Fault]string{
		MapFull: "apply new, merge new", MapError: "apply new, apply known, merge new, delete, miss, services",
		MapUnread: "dump, sweep", EventsUnread: "poll", EventsLost: "",
	} {
		d := wrapped(t)
		if err := d.Apply([]flow.Entry{entry(1)}); err != nil {
			t.Fatal(err)
		}
		seen, err := d.Break(f)
		if err != nil || seen == nil {
			t.Errorf("%s: proven by %v, %v", f, seen, err)
		}
		for name, call := range calls {
			err := call(d)
			if want := strings.Contains(", "+fails+",", ", "+name+","); (err != nil) != want {
				t.Errorf("%s: %s: %v", f, name, err)
			}
			var full *flow.RefusedError
			if err != nil && f == MapFull != errors.As(err, &full) || err != nil && f != MapFull && !errors.Is(err, syscall.EIO) {
				t.Errorf("%s: %s: %v is not what a kernel says", f, name, err)
			}
		}
		if ended, err := d.Mend(); err != nil || len(ended) != 1 || ended[0] != f {
			t.Errorf("%s: mended %v, %v", f, ended, err)
		}
		for name, call := range calls {
			if err := call(d); err != nil {
				t.Errorf("%s is mended: %s: %v", f, name, err)
			}
		}
	}
}

// TestLostEventsAreCounted, as a ring buffer counts them, and are never delivered. A deferred reply
// is: programs that find no room for one forward it.
func TestLostEventsAreCounted(t *testing.T) {
	d := wrapped(t)
	if _, err := d.Break(EventsLost); err != nil {
		t.Fatal(err)
	}
	inner := d.Dataplane
	d.Dataplane = pending{inner}
	var handed []uint64
	if _, err := d.Poll(dataplane.AllPending, func(e flow.Event) { handed = append(handed, e.Deferred.ID) }); err != nil {
		t.Fatal(err)
	}
	if c, err := d.Counters(); err != nil || !slices.Equal(handed, []uint64{7}) || c.EventsLost != 1+2 {
		t.Errorf("events of the replies %v came and %d are counted as lost (%v), want the deferred reply 7, and the overflow and 2", handed, c.EventsLost, err)
	}
}

// pending is a dataplane with two changes and a deferred reply.
type pending struct{ dataplane.Dataplane }

func (p pending) Poll(_ int, f func(flow.Event)) (bool, error) {
	f(flow.Event{})
	f(flow.Event{Deferred: flow.Deferred{ID: 7}})
	f(flow.Event{})
	return false, nil
}

// TestAnUnknownFaultIsRefused, so that no receipt is given for it.
func TestAnUnknownFaultIsRefused(t *testing.T) {
	if _, err := wrapped(t).Break("map empty"); err == nil {
		t.Error("no error")
	}
}
