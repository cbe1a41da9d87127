// Package origin finds out on what machine and by which build a run is made, for
// the trace's Meta: reports tell the figures of different machines apart by it. It
// reads only what the kernel says of itself; the command line and the suite call it.
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

// Here describes this machine and a build of that version. What cannot be found
// out stays empty.
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

// model is the name of the first processor in the form of /proc/cpuinfo.
func model(cpuinfo io.Reader) string {
	lines := bufio.NewScanner(cpuinfo)
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
