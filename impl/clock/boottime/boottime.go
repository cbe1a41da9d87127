// Package boottime reads the clock on which leases, deadlines and traces count:
// CLOCK_BOOTTIME, which the eBPF programs read by bpf_ktime_get_boot_ns. Unlike
// CLOCK_MONOTONIC it counts the time that the machine was suspended, so that a node
// wakes with its lease expired and its peer's silence noticed. Everything that compares
// an instant of a node with another reads it here.
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

// ID is the clock's number, for timers.
const ID = unix.CLOCK_BOOTTIME

// Now reads the clock.
func Now() clock.Instant {
	var t unix.Timespec
	if err := unix.ClockGettime(ID, &t); err != nil {
		panic("boottime: read CLOCK_BOOTTIME: " + err.Error()) // the kernel has it
	}
	return clock.Instant(t.Nano())
}

// offsets tells how far a time namespace moves the clocks of its processes.
const offsets = "/proc/self/timens_offsets"

// CheckHost reports whether this process reads the clock that eBPF programs read, which
// a time namespace does not move (time_namespaces(7)).
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
			return fmt.Errorf("boottime: a time namespace moves CLOCK_BOOTTIME by %s s, and eBPF programs do not follow; run in the host's", fields[1])
		}
	}
	return nil
}
