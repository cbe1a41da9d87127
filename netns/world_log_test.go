package netns

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLastWordsSayWhyANodeEnded(t *testing.T) {
	for _, tt := range []struct{ log, want string }{
		{"=== process 1\nfirst\nbaton: no such link\n", "baton: no such link"},
		{"=== process 1\nlevel=INFO\npanic: assertion failed\n\ngoroutine 1 [running]:\nmain.main()\n", "panic: assertion failed"},
		{"=== process 1\nfatal error: all goroutines are asleep\n\ngoroutine 1:\n", "fatal error: all goroutines are asleep"},
		{"=== process 1\nSIGABRT: abort\nPC=0x47\n\ngoroutine 0:\n\ngs     0x0\n", "SIGABRT: abort"},
		{"=== process 1\n", "=== process 1"},
		{"", ""},
	} {
		file := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(file, []byte(tt.log), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := exitReason(file); got != tt.want {
			t.Errorf("of %q: %q, want %q", tt.log, got, tt.want)
		}
	}
}
