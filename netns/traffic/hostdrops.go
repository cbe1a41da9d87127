package traffic

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// hostDrops returns the number of frames that this machine has dropped since boot because a
// CPU's input queue was full. They were lost to the harness's own load, not to the system
// under test.
func hostDrops() (uint64, error) {
	const file = "/proc/net/softnet_stat"
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("traffic: %w", err)
	}
	dropped, err := parseSoftnet(b)
	if err != nil {
		return 0, fmt.Errorf("traffic: parse %s: %w", file, err)
	}
	return dropped, nil
}

// parseSoftnet sums the second, hexadecimal column over all CPUs.
func parseSoftnet(b []byte) (dropped uint64, err error) {
	for line := range bytes.Lines(b) {
		fields := bytes.Fields(line)
		if len(fields) < 2 {
			return 0, fmt.Errorf("line %q has no second column", line)
		}
		n, err := strconv.ParseUint(string(fields[1]), 16, 64)
		if err != nil {
			return 0, err
		}
		dropped += n
	}
	return dropped, nil
}
