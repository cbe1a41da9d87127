// Package pki makes and reads the certificates by which the two nodes of a pair
// authenticate each other: an authority of their own and one certificate per node, whose
// DNS name is the node's ID. It only does file IO. Package transport uses the certificates.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// validity is the validity of the authority and of every certificate.
const validity = 10 * 365 * 24 * time.Hour

// skew is how far certificates are backdated, so that a node whose clock is behind accepts
// a new one.
const skew = time.Hour

// Authority signs the certificates of nodes. No node needs its key.
type Authority struct {
	cert *x509.Certificate
	der  []byte
	key  *ecdsa.PrivateKey
}

// NewAuthority makes an authority with a new ECDSA P-256 key.
func NewAuthority(name string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("pki: make the key of authority %s: %w", name, err)
	}
	template, err := template(name)
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.MaxPathLenZero = true
	template.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("pki: sign authority %s: %w", name, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("pki: read back authority %s: %w", name, err)
	}
	return &Authority{cert: cert, der: der, key: key}, nil
}

// PEM returns the authority's certificate.
func (a *Authority) PEM() []byte { return pemBlock("CERTIFICATE", a.der) }

// Issue makes a key and a certificate with a node's id, for both ends of a connection.
func (a *Authority) Issue(id string) (cert, key []byte, err error) {
	return a.IssueUntil(id, time.Now().Add(validity))
}

// IssueUntil is Issue with a given expiry, to the second. No certificate outlives its authority, which then could not
// verify it.
func (a *Authority) IssueUntil(id string, end time.Time) (cert, key []byte, err error) {
	if last := a.cert.NotAfter; end.After(last) {
		end = last
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("pki: make the key of node %s: %w", id, err)
	}
	template, err := template(id)
	if err != nil {
		return nil, nil, err
	}
	template.NotAfter = end
	template.DNSNames = []string{id}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &private.PublicKey, a.key)
	if err != nil {
		return nil, nil, fmt.Errorf("pki: sign node %s: %w", id, err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, fmt.Errorf("pki: encode the key of node %s: %w", id, err)
	}
	return pemBlock("CERTIFICATE", der), pemBlock("PRIVATE KEY", pkcs8), nil
}

// keyPEM returns the authority's key.
func (a *Authority) keyPEM() ([]byte, error) {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, fmt.Errorf("pki: encode the key of the authority: %w", err)
	}
	return pemBlock("PRIVATE KEY", pkcs8), nil
}

func template(name string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("pki: draw a serial number: %w", err)
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-skew),
		NotAfter:     now.Add(validity),
	}, nil
}

func pemBlock(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
