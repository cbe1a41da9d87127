package traffic

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// hostDrops is the number of frames that this machine's processors dropped since
// it booted because their input queues were full. Such frames are lost to the
// harness's own overload, whatever the system under test did.
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

// parseSoftnet sums the second column, a line for each processor, in hexadecimal.
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
