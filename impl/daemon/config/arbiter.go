package config

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// ArbiterKind is the kind of a pair's arbiter.
type ArbiterKind string

const (
	ArbiterNone    ArbiterKind = "none"
	ArbiterEtcd    ArbiterKind = "etcd"
	ArbiterGateway ArbiterKind = "gateway"
)

// Kind returns the arbiter's kind.
func (a Arbiter) Kind() ArbiterKind {
	switch {
	case len(a.Etcd) > 0:
		return ArbiterEtcd
	case a.Gateway.IsValid():
		return ArbiterGateway
	}
	return ArbiterNone
}

// defaultValidity is long enough for a cluster that elects a leader within a second.
const defaultValidity = 3 * time.Second

// DefaultKey is the default key of a pair's record.
func (c *Config) DefaultKey() string {
	return "/baton/" + min(c.Node, c.Peer) + "+" + max(c.Node, c.Peer) + "/alone"
}

// Keys that belong to one kind of arbiter. Both have a policy.
var (
	etcdKeys    = []string{"key", "validity", "ca", "cert", "key_file"}
	gatewayKeys = []string{"gateway", "probe", "port", "source", "every", "rise", "fall"}
)

func checkArbiter(d *document, c *Config) error {
	a := &c.Arbiter
	kind := a.Kind()
	for _, key := range gatewayKeys {
		switch {
		case !d.has("arbiter."+key) || kind == ArbiterGateway:
		case kind == ArbiterEtcd:
			return d.fail("arbiter."+key, "is given beside arbiter.etcd; a pair has one arbiter")
		default:
			return d.fail("arbiter."+key, "is given without arbiter.gateway; name the host, such as 198.18.0.1")
		}
	}
	for _, key := range append(slices.Clone(etcdKeys), "policy") {
		switch {
		case !d.has("arbiter."+key) || kind == ArbiterEtcd:
		case kind == ArbiterNone:
			return d.fail("arbiter."+key, "is given without arbiter.etcd; name the cluster's members, such as http://198.18.3.1:2379")
		case key != "policy":
			return d.fail("arbiter."+key, "belongs to arbiter.etcd; a gateway has probe, port, source, every, rise and fall")
		}
	}
	if kind != ArbiterNone && a.Policy == "" {
		a.Policy = PolicyFailClosed
	}
	switch kind {
	case ArbiterGateway:
		return checkGateway(d, c)
	case ArbiterEtcd:
		return checkEtcd(d, c)
	}
	return nil
}

// checkEtcd checks the cluster and fills in its defaults.
func checkEtcd(d *document, c *Config) error {
	a := &c.Arbiter
	secure := false
	for i, member := range a.Etcd {
		u, err := url.Parse(member)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return d.fail(index("arbiter.etcd", i), "%q is not a URL of a member; write it as http://198.18.3.1:2379", member)
		}
		secure = secure || u.Scheme == "https"
	}
	if a.Key == "" {
		a.Key = c.DefaultKey()
	}
	if strings.ContainsAny(a.Key, " \t\n") {
		return d.fail("arbiter.key", "%q holds white space; use a path, such as %s", a.Key, c.DefaultKey())
	}
	if !d.has("arbiter.validity") {
		a.Validity = Duration(defaultValidity)
	}
	if least := 2 * c.BFD.Detect(); time.Duration(a.Validity) < least {
		return d.fail("arbiter.validity", "%v is shorter than twice the detection time; use at least %v", a.Validity, least)
	}
	if secure && a.CA == "" {
		return d.fail("arbiter.etcd", "has an https member and arbiter.ca is missing; name the file of the authority that signed etcd's certificate")
	}
	if (a.Cert == "") != (a.KeyFile == "") {
		return d.fail("arbiter", "has one of cert and key_file; give both, or neither")
	}
	return nil
}

// checkGateway checks the gateway and fills in its defaults. checkAddresses compares it with the
// pair's addresses.
func checkGateway(d *document, c *Config) error {
	a := &c.Arbiter
	if err := checkRouted(d, "arbiter.gateway", a.Gateway.Addr); err != nil {
		return err
	}
	if a.Probe == "" {
		a.Probe = ProbeICMP
	}
	for _, n := range []struct {
		key   string
		value *uint8
	}{{"arbiter.rise", &a.Rise}, {"arbiter.fall", &a.Fall}} {
		switch {
		case !d.has(n.key):
			*n.value = defaultMisses
		case *n.value == 0:
			return d.fail(n.key, "0 is out of range; use 1 to 255")
		}
	}
	if !d.has("arbiter.every") {
		a.Every = Duration(defaultEvery)
	}
	every := time.Duration(a.Every)
	switch {
	case every < minEvery || every > maxEvery:
		return d.fail("arbiter.every", "%v is out of range; use %v to %v", every, minEvery, maxEvery)
	case a.Probe == ProbeICMP && d.has("arbiter.port"):
		return d.fail("arbiter.port", "is given for probe icmp, which has no ports; use probe: tcp, or leave it out")
	case a.Probe == ProbeTCP && a.Port == 0:
		return d.fail("arbiter.probe", "tcp needs arbiter.port; give one that the gateway answers on, if only by a refusal")
	case slices.Contains(c.Track.Targets, a.Gateway.Addr):
		return d.fail("arbiter.gateway", "%v is tracked too; leave it out of track.targets", a.Gateway)
	case !d.has("arbiter.source"):
		return nil
	case a.Source.Is4() != a.Gateway.Is4():
		return d.fail("arbiter.source", "%v is not of the family of the gateway %v", a.Source, a.Gateway)
	}
	return checkRouted(d, "arbiter.source", a.Source.Addr)
}
