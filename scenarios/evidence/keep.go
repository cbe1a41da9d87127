package evidence

import (
	"fmt"

	"github.com/dustin/go-humanize"
)

// Keep says which runs keep evidence. Every run keeps trace and result.
type Keep string

// The policies.
const (
	KeepFailed Keep = "failed" // runs that did not pass
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

// Wants reports whether a run keeps evidence.
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
		return 0, fmt.Errorf("%q is not a size; write for example 16MiB", s)
	case n < MinLimit:
		return 0, fmt.Errorf("%s is too small; use at least %s, or keep none", s, Size(MinLimit))
	case n > 1<<40:
		return 0, fmt.Errorf("%s is too large", s)
	}
	return int64(n), nil
}

// Size formats a number of bytes.
func Size(n int64) string { return humanize.IBytes(uint64(n)) }

// Shares divides a limit between the two tables, the two logs and the captures, and returns the limit
// of each file. Unused shares are not given to other files, so what a capture loses does not depend
// on tables and logs.
func Shares(limit int64, captures int) (table, log, capture int64) {
	table, log = limit/8, limit/16
	return table, log, (limit - 2*table - 2*log) / int64(max(1, captures))
}
