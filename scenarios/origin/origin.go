// Package origin describes the machine and the build of a run, for the trace's Meta. Reports
// use it to keep the figures of different machines apart. The package reads only uname and
// /proc/cpuinfo. The command line and the suite call it.
package origin

import (
	"bufio"
	"io"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"baton/impl/trace"
)

// Here describes this machine and a build of the given version. Unknown fields stay empty.
func Here(version string) trace.Host {
	host := trace.Host{Arch: runtime.GOARCH, Cores: runtime.NumCPU(), Go: runtime.Version(), Baton: version}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		host.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		host.CPU = model(f)
		f.Close()
	}
	return host
}

// model returns the model name of the first processor in the format of /proc/cpuinfo, "" if
// there is none.
func model(cpuinfo io.Reader) string {
	lines := bufio.NewScanner(cpuinfo)
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
