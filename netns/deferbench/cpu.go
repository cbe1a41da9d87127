package deferbench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"baton/netns"
	"baton/scenarios/lab"
)

// tick is the unit of times in /proc (USER_HZ).
const tick = 10 * time.Millisecond

// cpu returns the CPU time that the nodes' processes have used, without that of the BPF programs.
func cpu(world *netns.World) (sum time.Duration, err error) {
	for _, node := range lab.Nodes() {
		for _, p := range world.Host(node).Processes() {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
			if err != nil {
				return 0, fmt.Errorf("deferbench: CPU time of %s: %w", node, err)
			}
			used, err := parseCPU(string(stat))
			if err != nil {
				return 0, fmt.Errorf("deferbench: CPU time of %s: %w", node, err)
			}
			sum += used
		}
	}
	return sum, nil
}

// parseCPU returns user and system time (proc(5): fields 14 and 15; the second may contain
// spaces, in parentheses).
func parseCPU(stat string) (time.Duration, error) {
	_, rest, found := strings.Cut(stat[strings.LastIndexByte(stat, ')')+1:], " ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 13 {
		return 0, fmt.Errorf("%q has too few fields", stat)
	}
	var ticks time.Duration
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += time.Duration(n)
	}
	return ticks * tick, nil
}
