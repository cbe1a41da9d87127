package evidence

import (
	"fmt"

	"github.com/dustin/go-humanize"
)

// Keep says of which runs evidence is kept. Trace and result are kept of all.
type Keep string

// The policies.
const (
	KeepFailed Keep = "failed" // of runs that did not pass
	KeepAll    Keep = "all"
	KeepNone   Keep = "none"
)

// Policies lists them.
func Policies() []string { return []string{string(KeepFailed), string(KeepAll), string(KeepNone)} }

// ParseKeep reads a policy.
func ParseKeep(s string) (Keep, error) {
	switch k := Keep(s); k {
	case KeepFailed, KeepAll, KeepNone:
		return k, nil
	}
	return "", fmt.Errorf("%q: the policies are: failed, all, none", s)
}

// Wants reports whether evidence of a run is kept.
func (k Keep) Wants(passed bool) bool { return k == KeepAll || k == KeepFailed && !passed }

// Limits of the evidence of one run, in bytes.
const (
	DefaultLimit = 16 << 20
	// MinLimit leaves room for some hundred frames, entries and lines of log.
	MinLimit = 256 << 10
)

// ParseLimit reads a number of bytes: 16MiB, 512KiB, 1GB, 1000000.
func ParseLimit(s string) (int64, error) {
	n, err := humanize.ParseBytes(s)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is no size; write it as 16MiB", s)
	case n < MinLimit:
		return 0, fmt.Errorf("%s is too little for anything: at least %s, or keep none", s, Size(MinLimit))
	case n > 1<<40:
		return 0, fmt.Errorf("%s is more than a run can leave", s)
	}
	return int64(n), nil
}

// Size writes a number of bytes for reading.
func Size(n int64) string { return humanize.IBytes(uint64(n)) }

// Shares divides a limit: what each of two tables, each of two logs, and each of
// the captures may have at most. What tables and logs leave goes to nobody, so
// that what is cut of a capture does not depend on them.
func Shares(limit int64, captures int) (table, log, capture int64) {
	table, log = limit/8, limit/16
	return table, log, (limit - 2*table - 2*log) / int64(max(1, captures))
}
