package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"maps"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestInitWritesWhatLoadAccepts(t *testing.T) {
	dir := t.TempDir()
	if err := Init(dir, "lb1", "lb2"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"lb1", "lb2"} {
		if _, err := Load(FilesIn(dir, id), id); err != nil {
			t.Errorf("Load(%s): %v", id, err)
		}
		info, err := os.Stat(FilesIn(dir, id).Key)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("key of %s has mode %v, want 0600: others must not read it", id, info.Mode().Perm())
		}
	}
}

func TestTheKeysAreThePairs(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	for _, d := range []string{dir, other} {
		if err := Init(d, "lb1", "lb2"); err != nil {
			t.Fatal(err)
		}
	}
	commented := FilesIn(dir, "lb2")
	ca, err := os.ReadFile(commented.CA)
	if err != nil {
		t.Fatal(err)
	}
	commented.CA = filepath.Join(dir, "commented.crt")
	if err := os.WriteFile(commented.CA, append([]byte("our authority\n"), ca...), 0o644); err != nil {
		t.Fatal(err)
	}
	keys := func(files Files, id string) [2]uint64 {
		t.Helper()
		identity, err := Load(files, id)
		if err != nil {
			t.Fatal(err)
		}
		return [2]uint64{identity.PairKey(), identity.SNATSeed()}
	}
	one := keys(FilesIn(dir, "lb1"), "lb1")
	if two := keys(commented, "lb2"); one != two {
		t.Errorf("the nodes of a pair come to %x and %x", one, two)
	}
	if another := keys(FilesIn(other, "lb1"), "lb1"); one[0] == another[0] || one[1] == another[1] || one[0] == one[1] {
		t.Errorf("the keys of two pairs are %x and %x, which are not four", one, another)
	}
}

// TestHeartbeatKeysAreThePairsAndOfOneDirection: both nodes derive the same keys, each
// direction of each path has its own, and another pair has others.
func TestHeartbeatKeysAreThePairsAndOfOneDirection(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	for _, d := range []string{dir, other} {
		if err := Init(d, "lb1", "lb2"); err != nil {
			t.Fatal(err)
		}
	}
	load := func(files Files, id string) *Identity {
		t.Helper()
		identity, err := Load(files, id)
		if err != nil {
			t.Fatal(err)
		}
		return identity
	}
	one, two, stranger := load(FilesIn(dir, "lb1"), "lb1"), load(FilesIn(dir, "lb2"), "lb2"), load(FilesIn(other, "lb1"), "lb1")
	seen := map[string]string{}
	for _, id := range []string{"lb1", "lb2"} {
		for _, addr := range []string{"198.18.0.1", "198.18.2.1"} {
			from := netip.MustParseAddr(addr)
			key := one.HeartbeatKey(id, from)
			if !bytes.Equal(key, two.HeartbeatKey(id, from)) {
				t.Errorf("the nodes come to two keys for %s from %v", id, from)
			}
			if bytes.Equal(key, stranger.HeartbeatKey(id, from)) {
				t.Errorf("two pairs share a key for %s from %v", id, from)
			}
			use := id + " from " + addr
			if twin, taken := seen[string(key)]; taken || len(key) != 20 {
				t.Errorf("%s and %q share a key of %d bytes", use, twin, len(key))
			}
			seen[string(key)] = use
		}
	}
	open := FilesIn(dir, "lb1")
	if info, err := os.Stat(open.Secret); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the secret's file: %v, %v; others must not read it", info.Mode(), err)
	}
	open.Secret = ""
	if key := load(open, "lb1").HeartbeatKey("lb1", netip.MustParseAddr("198.18.0.1")); key != nil {
		t.Errorf("a key of %d bytes without a secret", len(key))
	}
}

func TestLoadNamesTheWrongFile(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	for _, d := range []string{dir, other} {
		if err := Init(d, "lb1", "lb2"); err != nil {
			t.Fatal(err)
		}
	}
	garbage := filepath.Join(dir, "garbage")
	if err := os.WriteFile(garbage, []byte("not PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, []byte("00112233445566778899aabbccddee\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := FilesIn(dir, "lb1")
	with := func(change func(*Files)) Files {
		f := good
		change(&f)
		return f
	}
	for _, tt := range []struct {
		name       string
		files      Files
		part, text string
	}{
		{"no authority", with(func(f *Files) { f.CA = dir + "/none" }), "ca", "does not exist"},
		{"no certificate", with(func(f *Files) { f.Cert = dir + "/none" }), "cert", "does not exist"},
		{"no key", with(func(f *Files) { f.Key = dir + "/none" }), "key", "does not exist"},
		{"authority is not PEM", with(func(f *Files) { f.CA = garbage }), "ca", "holds no PEM certificate"},
		{"certificate is not PEM", with(func(f *Files) { f.Cert = garbage }), "cert", "holds no PEM certificate"},
		{"key is not PEM", with(func(f *Files) { f.Key = garbage }), "key", "holds no PEM private key"},
		{"no secret", with(func(f *Files) { f.Secret = dir + "/none" }), "secret", "does not exist"},
		{"secret is not hexadecimal", with(func(f *Files) { f.Secret = garbage }), "secret", "holds no secret of 16 bytes"},
		{"secret is too short", with(func(f *Files) { f.Secret = short }), "secret", "holds no secret of 16 bytes"},
		{"key of another certificate", with(func(f *Files) { f.Key = FilesIn(dir, "lb2").Key }), "key", "is not the key of"},
		{"certificate of another node", FilesIn(dir, "lb2"), "cert", "names lb2, not lb1"},
		{"signed by another authority", with(func(f *Files) { f.CA = FilesIn(other, "lb1").CA }), "cert", "not signed by the authority"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(tt.files, "lb1")
			var fe *FileError
			if !errors.As(err, &fe) {
				t.Fatalf("Load = %v, want a FileError", err)
			}
			if fe.Part != tt.part || !strings.Contains(fe.Text, tt.text) {
				t.Errorf("Load = %q about %q, want %q about %q", fe.Text, fe.Part, tt.text, tt.part)
			}
		})
	}
}

// A renewal replaces only the certificate, with the authority's key, and touches nothing
// else.
func TestACertificateIsRenewedAlone(t *testing.T) {
	dir := t.TempDir()
	if err := Init(dir, "lb1", "lb2"); err != nil {
		t.Fatal(err)
	}
	before := contents(t, dir)
	if err := Init(dir, "lb1", "lb2"); !errors.Is(err, ErrExists) {
		t.Errorf("Init over what exists: %v", err)
	}
	if err := Issue(dir, "lb1", false); !errors.Is(err, ErrExists) {
		t.Errorf("Issue over what exists: %v", err)
	}
	if after := contents(t, dir); !maps.Equal(before, after) {
		t.Error("a refusal has changed files")
	}
	if err := errors.Join(Issue(dir, "lb1", true), Issue(dir, "lb3", false)); err != nil {
		t.Fatal(err)
	}
	after := contents(t, dir)
	for name, text := range before {
		if changed := after[name] != text; changed != strings.HasPrefix(name, "lb1.") {
			t.Errorf("%s changed: %v", name, changed)
		}
	}
	for _, id := range []string{"lb1", "lb2", "lb3"} {
		if _, err := Load(FilesIn(dir, id), id); err != nil {
			t.Errorf("Load(%s): %v", id, err)
		}
	}
	if info, err := os.Stat(authorityKey(dir)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key of the authority: %v, %v", info, err)
	}
	if err := Issue(t.TempDir(), "lb1", false); err == nil || !strings.Contains(err.Error(), "ca.") {
		t.Errorf("without an authority: %v", err)
	}
}

// TestARenewalReplacesWhole: the key has its mode even if somebody has loosened it, and what cannot be written leaves
// the old certificate. A node without a certificate has none to renew.
func TestARenewalReplacesWhole(t *testing.T) {
	dir := t.TempDir()
	if err := Init(dir, "lb1", "lb2"); err != nil {
		t.Fatal(err)
	}
	files := FilesIn(dir, "lb1")
	if err := os.Chmod(files.Key, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Issue(dir, "lb1", true); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(files.Key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the renewed key: %v, %v", info.Mode(), err)
	}
	before := contents(t, dir)
	if err := Issue(dir, "lb3", true); !errors.Is(err, ErrMissing) {
		t.Errorf("a renewal of lb3, which has no certificate: %v", err)
	}
	// The second file cannot be written.
	if err := write(dir, []file{{files.Cert, []byte("new"), 0o644}, {filepath.Join(dir, "gone", "lb1.key"), nil, 0o600}}); err == nil {
		t.Error("a file in a folder that is not there was written")
	}
	if after := contents(t, dir); !maps.Equal(before, after) {
		t.Error("what failed has changed files")
	}
}

// TestAnAuthorityThatExpires: it signs nothing that outlives it, and nothing once it has expired.
func TestAnAuthorityThatExpires(t *testing.T) {
	for _, left := range []time.Duration{time.Hour, -time.Minute} {
		dir := t.TempDir()
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		end := time.Now().Add(left).Truncate(time.Second)
		own := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: end.Add(-24 * time.Hour), NotAfter: end, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
		der, err := x509.CreateCertificate(rand.Reader, own, own, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		text, err := (&Authority{key: key}).keyPEM()
		if err != nil {
			t.Fatal(err)
		}
		if err := write(dir, []file{{FilesIn(dir, "").CA, pemBlock("CERTIFICATE", der), 0o644}, {authorityKey(dir), text, 0o600}}); err != nil {
			t.Fatal(err)
		}
		err = Issue(dir, "lb1", false)
		if left < 0 {
			if err == nil || !strings.Contains(err.Error(), "expired on "+end.Format(time.DateOnly)) {
				t.Errorf("an expired authority: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.LoadX509KeyPair(FilesIn(dir, "lb1").Cert, FilesIn(dir, "lb1").Key)
		if err != nil || !pair.Leaf.NotAfter.Equal(end.UTC()) {
			t.Errorf("a certificate until %v of an authority until %v; %v", pair.Leaf.NotAfter, end, err)
		}
	}
}

// TestNoNodeHasTheAuthoritysFiles: its certificate would be the authority's.
func TestNoNodeHasTheAuthoritysFiles(t *testing.T) {
	dir := t.TempDir()
	if err := Init(dir, "lb1", "ca"); !errors.Is(err, ErrReserved) || len(contents(t, dir)) != 0 {
		t.Errorf("%v; the folder has %d files", err, len(contents(t, dir)))
	}
}

// If one file exists, none is written: a folder never has files of two pairs.
func TestInitIsAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "lb2.key"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := Init(dir, "lb1", "lb2")
	if after := contents(t, dir); !errors.Is(err, ErrExists) || len(after) != 1 || after["lb2.key"] != "mine" {
		t.Errorf("%v; the folder has %d files", err, len(after))
	}
}

// contents are the files of a folder.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found[f.Name()] = string(text)
	}
	return found
}

// TestAClientsCertificateMustBeValidNow: the server would refuse it, without a word that names the file.
func TestAClientsCertificateMustBeValidNow(t *testing.T) {
	authority, err := NewAuthority("etcd")
	if err != nil {
		t.Fatal(err)
	}
	for _, left := range []time.Duration{time.Hour, -time.Minute} {
		files := FilesIn(t.TempDir(), "lb1")
		cert, key, err := authority.IssueUntil("lb1", time.Now().Add(left))
		if err != nil {
			t.Fatal(err)
		}
		if err := write(filepath.Dir(files.CA), []file{{files.CA, authority.PEM(), 0o644}, {files.Cert, cert, 0o644}, {files.Key, key, 0o600}}); err != nil {
			t.Fatal(err)
		}
		out, err := Client(files)
		var wrong *FileError
		switch {
		case left < 0 && (!errors.As(err, &wrong) || wrong.Part != "cert" || !strings.Contains(wrong.Text, "renew it")):
			t.Errorf("an expired certificate: %v", err)
		case left > 0 && (err != nil || len(out.Certificates) != 1):
			t.Errorf("a valid one: %v", err)
		}
		if out, err := Client(Files{CA: files.CA}); err != nil || len(out.Certificates) != 0 {
			t.Errorf("without a certificate of its own: %v", err)
		}
	}
}
