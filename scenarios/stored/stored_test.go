package stored

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestOnlyRegularFilesAreOpened(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.WriteFile(at("file"), []byte("text"), 0o644), os.Mkdir(at("folder"), 0o755), syscall.Mkfifo(at("pipe"), 0o644),
		os.Symlink("file", at("link")), os.Symlink("/dev/zero", at("device")), os.Symlink("loop", at("loop"))); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{"file": nil, "link": nil, "folder": ErrIrregular, "pipe": ErrIrregular, "device": ErrIrregular,
		"loop": syscall.ELOOP, "nothing": fs.ErrNotExist} {
		data, err := ReadFile(at(name), 10)
		if !errors.Is(err, want) || want == nil && (err != nil || string(data) != "text") {
			t.Errorf("%s: %q, %v; want %v", name, data, err, want)
		}
	}
}

func TestALongerFileIsRefused(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	for most, fits := range map[int64]bool{3: false, 4: true} {
		if data, err := ReadFile(name, most); (err == nil) != fits || fits && string(data) != "text" {
			t.Errorf("at most %d bytes: %q, %v", most, data, err)
		}
	}
}
