package netns

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// logged returns a log file with a text.
func logged(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLastWordsSayWhyANodeEnded(t *testing.T) {
	for _, tt := range []struct{ log, want string }{
		{"=== process 1\nfirst\nbaton: no such link\n", "baton: no such link"},
		{"=== process 1\nlevel=INFO\npanic: assertion failed\n\ngoroutine 1 [running]:\nmain.main()\n", "panic: assertion failed"},
		{"=== process 1\nfatal error: all goroutines are asleep\n\ngoroutine 1:\n", "fatal error: all goroutines are asleep"},
		{"=== process 1\nSIGABRT: abort\nPC=0x47\n\ngoroutine 0:\n\ngs     0x0\n", "SIGABRT: abort"},
		{"=== process 1\n", "=== process 1"},
		{"", ""},
	} {
		if got := exitReason(logged(t, tt.log)); got != tt.want {
			t.Errorf("of %q: %q, want %q", tt.log, got, tt.want)
		}
	}
}

// The first complaint is the cause; later lines follow from it.
func TestACommandsComplaintIsTold(t *testing.T) {
	after := strings.Repeat("stopping a child\n", complaintLines)
	for _, tt := range []struct{ log, want string }{
		{"=== process 1\nstarting\n(my.conf: Line 14) Unknown keyword 'x'\nthe id must be set\nStopped\nrun ended\n", "(my.conf: Line 14) Unknown keyword 'x'"},
		{"=== process 1\nstarting\nsh: 1: prog: not found\nrun ended\n", "sh: 1: prog: not found"},
		{"=== process 1\nstarting\nStopped\nrun ended\n", "Stopped"},
		{"=== process 1\ncannot bind\nrun ended\n=== process 2\nStopped\nrun ended\n", "Stopped"},
		{"=== process 1\ncannot bind\nrun ended\n=== process 2\nrun ended\n", ""},
		{"=== process 1\nan error of an hour ago\n" + after + "run ended\n", "stopping a child"},
		{"=== process 1\nterrors\nrun ended\n", "terrors"},
		{"=== process 1\nrun ended\n", ""},
		{"run ended\n", ""},
		{"", ""},
	} {
		if got := lastCommandOutput(logged(t, tt.log)); got != tt.want {
			t.Errorf("of %q: %q, want %q", tt.log, got, tt.want)
		}
	}
}
