// Package needs skips tests on machines without the programs that they run.
package needs

import (
	"os/exec"
	"testing"
)

// Programs skips a test if one of the programs is not installed.
func Programs(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("needs %s: make setup setup-subjects installs what tests run", name)
		}
	}
}
