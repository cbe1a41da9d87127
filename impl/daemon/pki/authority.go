// Package pki makes and reads the certificates with which the two nodes of a
// pair know each other: an authority of their own and one certificate a node,
// whose DNS name is the node's id. It does file IO only; package transport
// uses the result, and whoever sets up a pair calls Init.
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
	"os"
	"path/filepath"
	"time"
)

// validity is that of the authority and of every certificate. A pair's
// certificates are renewed by making a new authority, so there is no point in
// letting the two differ.
const validity = 10 * 365 * 24 * time.Hour

// skew is how far back certificates are valid, so that a node whose clock is
// behind accepts what another has just made.
const skew = time.Hour

// Authority signs the certificates of nodes. It lives in memory; nothing needs
// its key once the nodes have their certificates.
type Authority struct {
	cert *x509.Certificate
	der  []byte
	key  *ecdsa.PrivateKey
}

// NewAuthority makes an authority with a fresh ECDSA P-256 key.
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

// Issue makes a key and a certificate that names a node by its id, good for both
// ends of a connection.
func (a *Authority) Issue(id string) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("pki: make the key of node %s: %w", id, err)
	}
	template, err := template(id)
	if err != nil {
		return nil, nil, err
	}
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

// Files are the paths of what one node needs. Secret may be empty: the heartbeat is then
// not authenticated.
type Files struct{ CA, Cert, Key, Secret string }

// FilesIn returns where Init puts a node's files.
func FilesIn(dir, id string) Files {
	return Files{
		CA:   filepath.Join(dir, "ca.crt"),
		Cert: filepath.Join(dir, id+".crt"),
		Key:  filepath.Join(dir, id+".key"),
		// The same for both nodes.
		Secret: filepath.Join(dir, "pair.secret"),
	}
}

// Init makes an authority, a certificate for each id and the secret that they share,
// and writes them into dir. The authority's key is not kept.
func Init(dir string, ids ...string) error {
	authority, err := NewAuthority("baton pair authority")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("pki: make the folder of the certificates: %w", err)
	}
	write := func(file string, content []byte, mode os.FileMode) error {
		if err := os.WriteFile(file, content, mode); err != nil {
			return fmt.Errorf("pki: write a certificate file: %w", err)
		}
		return nil
	}
	if err := write(FilesIn(dir, "").CA, authority.PEM(), 0o644); err != nil {
		return err
	}
	if err := write(FilesIn(dir, "").Secret, NewSecret(), 0o600); err != nil {
		return err
	}
	for _, id := range ids {
		cert, key, err := authority.Issue(id)
		if err != nil {
			return err
		}
		files := FilesIn(dir, id)
		if err := write(files.Cert, cert, 0o644); err != nil {
			return err
		}
		if err := write(files.Key, key, 0o600); err != nil {
			return err
		}
	}
	return nil
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
