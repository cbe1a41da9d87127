// Package boottime reads CLOCK_BOOTTIME, the clock of leases, deadlines and traces. The
// eBPF programs read it with bpf_ktime_get_boot_ns. Unlike CLOCK_MONOTONIC it advances
// while the machine is suspended, so a node that wakes finds its lease expired and its
// detection time over. Nodes, traffic generators and captures read their instants here, so
// these can be compared.
package boottime

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
)

// ID is the clock's ID for timers.
const ID = unix.CLOCK_BOOTTIME

// Now reads the clock.
func Now() clock.Instant {
	var t unix.Timespec
	if err := unix.ClockGettime(ID, &t); err != nil {
		panic("boottime: read CLOCK_BOOTTIME: " + err.Error()) // every supported kernel has it
	}
	return clock.Instant(t.Nano())
}

// offsets is the file with the clock offsets of the process's time namespace.
const offsets = "/proc/self/timens_offsets"

// CheckHost returns an error if a time namespace shifts CLOCK_BOOTTIME for this process. eBPF
// programs read the clock without the offset (time_namespaces(7)).
func CheckHost() error {
	file, err := os.Open(offsets)
	if errors.Is(err, os.ErrNotExist) {
		return nil // a kernel without time namespaces
	}
	if err != nil {
		return fmt.Errorf("boottime: %w", err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text()) // clock, seconds, nanoseconds
		if len(fields) == 3 && fields[0] == "boottime" && (fields[1] != "0" || fields[2] != "0") {
			return fmt.Errorf("boottime: the time namespace shifts CLOCK_BOOTTIME by %s s, but not for eBPF programs; run in the host's time namespace", fields[1])
		}
	}
	return nil
}
