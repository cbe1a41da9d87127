package netns

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAFullDiskTakesNoMore until there is room again, keeps what was on it, and ends with
// its descriptor.
func TestAFullDiskTakesNoMore(t *testing.T) {
	if why := canMakeDisks(); why != "" {
		t.Skip("needs root and Linux 5.2: " + why)
	}
	d, err := newDisk()
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string) error {
		return os.WriteFile(filepath.Join(d.dir, name), make([]byte, os.Getpagesize()), 0o600)
	}
	if err := write("log"); err != nil {
		t.Fatal(err)
	}
	if seen, err := d.fill(); err != nil || !errors.Is(seen, unix.ENOSPC) {
		t.Errorf("filled: %v, %v", seen, err)
	}
	if err := write("more"); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("a write to a full disk: %v", err)
	}
	if err := d.clear(); err != nil {
		t.Errorf("cleared: %v", err)
	}
	if err := write("more"); err != nil {
		t.Errorf("a write after that: %v", err)
	}
	kept := filepath.Join(t.TempDir(), "log")
	if err := d.copyOut("log", kept); err != nil {
		t.Errorf("copied: %v", err)
	}
	if text, err := os.ReadFile(kept); err != nil || len(text) != os.Getpagesize() {
		t.Errorf("%d bytes are kept, %v", len(text), err)
	}
	if err := d.close(); err != nil {
		t.Error(err)
	}
	if err := write("after"); err == nil {
		t.Error("the disk outlives its descriptor")
	}
}
