package subject

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"baton/impl/daemon/config"
	"baton/impl/daemon/pki"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// keyServices is the key of the list of services. In the simulator it may be empty.
const keyServices = "services"

// Refused returns the first mistake of each node's configuration with which a reference node would
// not start, at the line of the scenario that causes it. Both worlds refuse such a scenario: the
// simulator's nodes read no configuration file and would run settings that no real node accepts.
func Refused(p *plan.Plan) (found plan.Diagnostics) {
	if !p.RunsIn(plan.Netns) || p.Value(plan.Netns, "", plan.KeySubject) != ReferenceName {
		return nil
	}
	seen := map[string]bool{}
	for _, node := range lab.Nodes() {
		var mistake *config.Error
		if !errors.As(verify(p, node), &mistake) || mistake.Key == keyServices || seen[mistake.Text] {
			continue
		}
		seen[mistake.Text] = true
		at, text := placeOf(p, node, mistake)
		found = append(found, plan.Diagnostic{File: p.File, Pos: at, Message: fmt.Sprintf("baton node refuses the configuration of %s: %s", node, text)})
	}
	return found
}

// verify checks the configuration that a node would have.
func verify(p *plan.Plan, node string) error {
	devices := map[string]string{lab.Clients: "client0", lab.Backends: "backend0", lab.Sync: "sync0"}
	c := nodeConfig(Lab{Plan: p, Devices: devices}, node, pki.Files{CA: "ca", Cert: "cert", Key: "key", Secret: "secret"})
	data, err := c.Marshal()
	if err != nil {
		return err
	}
	if data, err = overlay(data, p, node, Change{}); err != nil {
		return err
	}
	return config.Verify(data)
}

// ofService matches the keys of a node's services, such as services[0].limits.flows.
var ofService = regexp.MustCompile(`^services\[(\d+)\]\.`)

// placeOf returns the position of the config or service line that causes a mistake in a node's
// configuration, and the mistake's text in the terms of that line. A default is wrong because of another
// key of its section.
func placeOf(p *plan.Plan, node string, mistake *config.Error) (at plan.Pos, text string) {
	at, text = p.NamePos, mistake.Text
	key := mistake.Key
	if m := ofService.FindStringSubmatch(key); m != nil {
		n, _ := strconv.Atoi(m[1])
		s := servicesOf(p)[n]
		at, text, key = s.Pos, fmt.Sprintf("service %s: %s", s.Name, strings.TrimPrefix(text, m[0])), strings.TrimPrefix(key, m[0])
	}
	section := key[:strings.LastIndex(key, ".")+1]
	for _, s := range p.Config {
		switch {
		case s.Node != "" && s.Node != node || !s.Guard.In(plan.Netns):
		case s.Key != key && !strings.HasPrefix(key, s.Key+"."):
			if section != "" && strings.HasPrefix(s.Key, section) && s.Pos.Line > 0 && at == p.NamePos {
				at = s.Pos
			}
		case s.Pos.Line > 0:
			at = s.Pos
		default:
			text += fmt.Sprintf(" (--set %s=%s)", s.Key, s.Value)
		}
	}
	return at, text
}
