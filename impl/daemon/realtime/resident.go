package realtime

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// residentProgram reads the mapped parts of the program's file into memory. Code that first
// runs at a critical time, such as a signal handler, would otherwise wait for the disk; a
// second and a half was observed.
func residentProgram() error {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("realtime: find the program: %w", err)
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("realtime: list mappings: %w", err)
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to uintptr
		var mode string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &mode); err != nil ||
			!strings.HasSuffix(lines.Text(), exe) || mode[0] != 'r' {
			continue
		}
		if err := populate(from, to); err != nil {
			return fmt.Errorf("realtime: read the program into memory: %w", err)
		}
	}
	return nil
}

// populate faults in the pages of a mapping.
func populate(from, to uintptr) error {
	_, _, errno := unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_POPULATE_READ)
	if errno != 0 {
		return errno
	}
	return nil
}
