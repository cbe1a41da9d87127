package subject

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"baton/impl/daemon/pki"
	"baton/scenarios/fault"
)

// of returns a node's current files.
func (s *secrets) of(node string) pki.Files {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files[node]
}

// certify replaces a node's certificate and returns the result of the peer's check. An
// unintended result is an error.
func (s *secrets) certify(node, way string) (receipt string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	authority, end := s.authority, time.Now().AddDate(1, 0, 0)
	switch way {
	case fault.CertForeign:
		if authority, err = pki.NewAuthority("another authority"); err != nil {
			return "", err
		}
	case fault.CertExpires:
		end = time.Now().Add(fault.CertLife)
	}
	cert, key, err := authority.IssueUntil(node, end)
	if err != nil {
		return "", err
	}
	files := s.files[node]
	if files.CA, err = s.store("ca", authority.PEM()); err != nil {
		return "", err
	}
	if files.Cert, files.Key, err = s.keepPair(node, cert, key); err != nil {
		return "", err
	}
	s.files[node] = files
	return s.judge(node, way, cert)
}

// judge checks a certificate as the peer does, now or, for one that is meant to expire,
// after its end.
func (s *secrets) judge(node, way string, cert []byte) (string, error) {
	block, _ := pem.Decode(cert)
	if block == nil {
		return "", errors.New("no PEM certificate")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.authority.PEM())
	at := time.Now()
	if way == fault.CertExpires {
		at = leaf.NotAfter.Add(time.Second)
	}
	_, refused := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: at})
	switch good := way == ""; {
	case good && refused != nil:
		return "", fmt.Errorf("the new certificate of %s is not good: %w", node, refused)
	case good:
		return fmt.Sprintf("%s has a certificate until %s", node, leaf.NotAfter.Format(time.DateOnly)), nil
	case refused == nil:
		return "", fmt.Errorf("the certificate of %s passes the peer's check", node)
	}
	return fmt.Sprintf("%s, at %s: %v", node, at.Format(time.TimeOnly), refused), nil
}
