package dataplane

import "strings"

// LeftPins is a folder that the node does not use, in which an earlier process has pinned
// programs that links still run.
type LeftPins struct {
	Dir   string
	Links []string // links that run them
	InUse bool     // a running process uses the folder
}

// String says what the programs do and how to remove them.
func (l LeftPins) String() string {
	told := strings.Join(l.Links, " and ") + " still run programs that were pinned in " + l.Dir +
		", which is not this configuration's pin. Without a process they drop every packet of their VIPs"
	if l.InUse {
		return told + ". A running process uses the folder: end it, then rm -r " + l.Dir
	}
	return told + ": rm -r " + l.Dir
}
