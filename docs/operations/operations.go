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
	return strings.NewReplacer("ExecStart="+program+" ", "ExecStart="+quoted(baton)+" ",
		"--config "+configuration, "--config "+quoted(strings.ReplaceAll(config, "$", "$$"))).Replace(unit)
}

// quoted writes a word of a command line so that systemd reads it as it is (systemd.service(5), systemd.unit(5)). Of a
// program systemd expands no variables.
func quoted(word string) string {
	word = strings.ReplaceAll(word, "%", "%%")
	if !strings.ContainsAny(word, " \t\n\"'\\;") {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(word) + `"`
}
