package subject

import (
	"strings"
	"testing"
	"time"

	"baton/impl/daemon/pki"
	"baton/scenarios/fault"
)

// TestCertificatesSayWhatThePeerWillMakeOfThem: the node itself starts with each.
func TestCertificatesSayWhatThePeerWillMakeOfThem(t *testing.T) {
	s, err := newSecrets([]string{"lb1", "lb2"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for _, c := range []struct{ way, receipt string }{
		{fault.CertForeign, "unknown authority"}, {fault.CertExpires, "expired"}, {"", "lb2 has a certificate until"},
	} {
		before := s.of("lb2")
		receipt, err := s.certify("lb2", c.way)
		if err != nil || !strings.Contains(receipt, c.receipt) {
			t.Errorf("%q: %q, %v", c.way, receipt, err)
		}
		if s.of("lb2") == before || s.of("lb1").Cert == s.of("lb2").Cert {
			t.Errorf("%q: the files of lb2 are %+v", c.way, s.of("lb2"))
		}
		if _, err := pki.Load(s.of("lb2"), "lb2"); err != nil {
			t.Errorf("%q: lb2 does not start: %v", c.way, err)
		}
	}
}

// TestAFaultyCertificateThatThePeerTakesIsNoReceipt: if the peer accepts it, the fault has had no effect.
func TestAFaultyCertificateThatThePeerTakesIsNoReceipt(t *testing.T) {
	s, err := newSecrets([]string{"lb1", "lb2"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	good, _, err := s.authority.IssueUntil("lb2", time.Now().AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if receipt, err := s.judge("lb2", fault.CertForeign, good); err == nil || !strings.Contains(err.Error(), "passes the peer's check") {
		t.Errorf("%q, %v", receipt, err)
	}
	other, err := pki.NewAuthority("another authority")
	if err != nil {
		t.Fatal(err)
	}
	foreign, _, err := other.IssueUntil("lb2", time.Now().AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if receipt, err := s.judge("lb2", "", foreign); err == nil {
		t.Errorf("a good certificate that the peer refuses: %q", receipt)
	}
}
