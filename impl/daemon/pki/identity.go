package pki

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Identity is a node's own credentials and what it verifies its peer with.
type Identity struct {
	id    string
	roots *x509.CertPool
	pair  tls.Certificate
	// authority holds the certificates of the pair's authority.
	authority []byte
	// secret is shared with the peer; nil if there is none.
	secret []byte
}

// PairKey returns the key of the hash by which both nodes of a pair place tuples. It protects against
// clients that choose colliding tuples. Peers of every version derive the same key.
func (i *Identity) PairKey() uint64 { return i.derive("") }

// SNATSeed returns the number by which both nodes of a pair order the SNAT ports of a flow.
func (i *Identity) SNATSeed() uint64 { return i.derive("baton snat 1") }

// derive returns a number that both nodes of a pair can compute and clients cannot: a hash of the
// authority's certificate, which is never sent. It is not secret between the nodes.
func (i *Identity) derive(purpose string) uint64 {
	hash := sha256.New()
	hash.Write([]byte(purpose))
	hash.Write(i.authority)
	return binary.BigEndian.Uint64(hash.Sum(nil))
}

// FileError is a mistake in one of a node's files, with the correction.
type FileError struct {
	Part string // "ca", "cert", "key" or "secret", as the configuration names them
	Text string
}

func (e *FileError) Error() string { return fmt.Sprintf("pki: %s: %s", e.Part, e.Text) }

// Load reads a node's files and checks that they match each other and the node's id. Every
// error is a *FileError.
func Load(files Files, id string) (*Identity, error) {
	ca, err := read("ca", files.CA, "certificate")
	if err != nil {
		return nil, err
	}
	cert, err := read("cert", files.Cert, "certificate")
	if err != nil {
		return nil, err
	}
	key, err := read("key", files.Key, "private key")
	if err != nil {
		return nil, err
	}
	roots, err := authorities(files.CA, ca)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, pairError(files, cert, err)
	}
	if err := verify(pair.Leaf, roots, id); err != nil {
		return nil, &FileError{"cert", fmt.Sprintf("%s: %v", files.Cert, err)}
	}
	identity := &Identity{id: id, roots: roots, pair: pair, authority: certificates(ca)}
	if files.Secret != "" {
		if identity.secret, err = readSecret(files.Secret); err != nil {
			return nil, err
		}
	}
	return identity, nil
}

// Peer returns the TLS configuration for both ends of a connection with the peer: TLS 1.3
// only, with certificates from both; the other end's must name the peer's id.
func (i *Identity) Peer(peer string) *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{i.pair},
		RootCAs:      i.roots,
		ServerName:   peer,
		ClientCAs:    i.roots,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 {
				return errors.New("the other end sent no certificate")
			}
			return named(state.PeerCertificates[0], peer)
		},
	}
}

// Client returns the TLS configuration of a client of a server whose certificate the authority has signed. Without Cert it
// has no certificate of its own. It checks the files; every error is a *FileError.
func Client(files Files) (*tls.Config, error) {
	ca, err := read("ca", files.CA, "authority's certificate")
	if err != nil {
		return nil, err
	}
	roots, err := authorities(files.CA, ca)
	if err != nil {
		return nil, err
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	if files.Cert == "" {
		return out, nil
	}
	cert, err := read("cert", files.Cert, "certificate")
	if err != nil {
		return nil, err
	}
	key, err := read("key", files.Key, "private key")
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, pairError(files, cert, err)
	}
	if now := time.Now(); now.Before(pair.Leaf.NotBefore) || now.After(pair.Leaf.NotAfter) {
		return nil, &FileError{"cert", fmt.Sprintf("%s: %v", files.Cert, outOfTime(pair.Leaf))}
	}
	out.Certificates = []tls.Certificate{pair}
	return out, nil
}

// authorities are the certificates of a file.
func authorities(file string, text []byte) (*x509.CertPool, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, &FileError{"ca", fmt.Sprintf("%s holds no PEM certificate; name the authority's", file)}
	}
	return roots, nil
}

func outOfTime(leaf *x509.Certificate) error {
	return fmt.Errorf("is valid from %s to %s; renew it or set the clock", leaf.NotBefore.UTC().Format(time.DateOnly), leaf.NotAfter.UTC().Format(time.DateOnly))
}

// certificates returns the contents of the PEM blocks of a file, without its comments.
func certificates(file []byte) []byte {
	var all []byte
	for block, rest := pem.Decode(file); block != nil; block, rest = pem.Decode(rest) {
		all = append(all, block.Bytes...)
	}
	return all
}

// read reads a required file.
func read(part, file, what string) ([]byte, error) {
	content, err := os.ReadFile(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, &FileError{part, fmt.Sprintf("%s does not exist; name the file of the %s", file, what)}
	case err != nil:
		return nil, &FileError{part, err.Error()}
	}
	return content, nil
}

// pairError distinguishes a bad certificate from a bad key.
func pairError(files Files, cert []byte, err error) error {
	if strings.Contains(err.Error(), "does not match public key") {
		return &FileError{"key", fmt.Sprintf("%s is not the key of %s; name the key that belongs to it", files.Key, files.Cert)}
	}
	if pool := x509.NewCertPool(); !pool.AppendCertsFromPEM(cert) {
		return &FileError{"cert", fmt.Sprintf("%s holds no PEM certificate", files.Cert)}
	}
	return &FileError{"key", fmt.Sprintf("%s holds no PEM private key", files.Key)}
}

// verify checks a node's own certificate as its peer will.
func verify(leaf *x509.Certificate, roots *x509.CertPool, id string) error {
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if unknown := (x509.UnknownAuthorityError{}); errors.As(err, &unknown) {
		return errors.New("is not signed by the authority in sync.ca; use one that is")
	}
	if invalid := (x509.CertificateInvalidError{}); errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return outOfTime(leaf)
	}
	if err != nil {
		return err
	}
	return named(leaf, id)
}

// named checks that a DNS name of a certificate is the node's id. A common name does not
// count (RFC 9525 2).
func named(leaf *x509.Certificate, id string) error {
	if leaf.VerifyHostname(id) == nil {
		return nil
	}
	names := leaf.DNSNames
	if len(names) == 0 {
		names = []string{"no DNS name"}
	}
	return fmt.Errorf("names %s, not %s", strings.Join(names, ", "), id)
}
