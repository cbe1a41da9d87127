// Package operations holds what a host needs to run a node: the systemd unit, the
// recipe of a package and of a container image, rules to alert by and a dashboard.
package operations

import (
	_ "embed"
	"strings"
)

// program and configuration are where the unit looks for them.
const (
	program       = "/usr/bin/baton"
	configuration = "/etc/baton/node.yaml"
)

//go:embed baton.service
var unit string

// Unit is the systemd unit of a node that runs the program with a configuration.
func Unit(baton, config string) string {
	return strings.NewReplacer("ExecStart="+program+" ", "ExecStart="+baton+" ", "--config "+configuration, "--config "+config).Replace(unit)
}
