package sim

import (
	"testing"
	"time"

	"baton/scenarios/fault"
	"baton/scenarios/plan"
)

// up reports whether the two daemons have a stream.
func (o *outing) up() bool { s := o.stream; return s != nil && s.sides[0].open && s.sides[1].open }

// TestACertificateCountsFromTheNextStart: an established stream stays up. A daemon whose certificate
// the peer rejects gets no stream until it starts with a good one.
func TestACertificateCountsFromTheNextStart(t *testing.T) {
	for way, afterStart := range map[string]bool{fault.CertForeign: false, fault.CertExpires: true} {
		o := settled(t)
		p := o.processes[listener]
		restart := func() {
			t.Helper()
			o.do(t, plan.Fault{Verb: fault.Kill, Hosts: []string{p.id}})
			o.pass(t, 100*time.Millisecond)
			o.do(t, plan.Fault{Verb: fault.Restore, Hosts: []string{p.id}})
			o.pass(t, 1500*time.Millisecond)
		}
		o.do(t, plan.Fault{Verb: fault.Certificate, Way: way, Hosts: []string{p.id}})
		if f := o.last(t); f.Phase != "receipt" {
			t.Errorf("%s: %+v", way, f)
		}
		o.pass(t, 100*time.Millisecond)
		if !o.up() {
			t.Errorf("%s: the stream did not outlive the step", way)
		}
		if restart(); o.up() != afterStart {
			t.Errorf("%s: a stream after the start: %v", way, o.up())
		}
		o.pass(t, fault.CertLife)
		if o.up() != afterStart {
			t.Errorf("%s: a stream after the end of the certificate: %v", way, o.up())
		}
		if o.stream != nil && o.up() {
			o.stream.broken(0, "by the test")
			o.stream.broken(1, "by the test")
		}
		if o.pass(t, 2*time.Second); o.up() {
			t.Errorf("%s: a new stream came about", way)
		}
		o.do(t, plan.Fault{Verb: fault.Renew, Hosts: []string{p.id}})
		if restart(); !o.up() {
			t.Errorf("%s: no stream with a good certificate", way)
		}
	}
}
