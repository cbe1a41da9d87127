package dataplane

import "strings"

// LeftPins is a folder in which an earlier process has pinned programs that links still run
// although the node does not use the folder.
type LeftPins struct {
	Dir   string
	Links []string // that run them
	InUse bool     // a process that runs has the folder
}

// String says what the programs do and how to be rid of them.
func (l LeftPins) String() string {
	told := strings.Join(l.Links, " and ") + " still run programs that were pinned in " + l.Dir +
		", which is not this configuration's pin. Without a process they drop every packet of their VIPs"
	if l.InUse {
		return told + ". A process that runs has the folder: end it, then rm -r " + l.Dir
	}
	return told + ": rm -r " + l.Dir
}
