package tree

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// process is a process of the tree. Its name changes when it executes another program.
type process struct {
	pid, parent int
	name        string
}

func (p process) String() string { return fmt.Sprintf("%s (process %d)", p.name, p.pid) }

// others lists the other processes of the tree. A zombie counts as ended.
func others() (found []process) {
	entries, _ := filepath.Glob("/proc/[0-9]*") // the only error is a bad pattern
	for _, entry := range entries {
		status, err := os.ReadFile(filepath.Join(entry, "stat"))
		if err != nil {
			continue
		}
		if p, runs := readStat(string(status)); runs && p.pid != os.Getpid() {
			found = append(found, p)
		}
	}
	return found
}

// readStat reads a line of /proc/PID/stat: the pid, the name in parentheses, the state and the parent.
func readStat(line string) (p process, runs bool) {
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return p, false
	}
	rest := strings.Fields(line[end+1:])
	if len(rest) < 2 || rest[0] == "Z" {
		return p, false
	}
	p.name = line[open+1 : end]
	p.pid, _ = strconv.Atoi(strings.TrimSpace(line[:open]))
	p.parent, _ = strconv.Atoi(rest[1])
	return p, true
}

// descends reports whether a process, by its pid, is one of others or a child of one.
func descends(p process, of []process) bool {
	return slices.ContainsFunc(of, func(o process) bool { return p.pid == o.pid || p.parent == o.pid })
}
