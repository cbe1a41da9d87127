package config

import (
	"net/url"
	"strings"
	"time"
)

// On reports whether there is an arbiter.
func (a Arbiter) On() bool { return len(a.Etcd) > 0 }

// defaultValidity is long enough for a cluster that elects a leader within a second.
const defaultValidity = 3 * time.Second

// DefaultKey is the default key of a pair's record.
func (c *Config) DefaultKey() string {
	return "/baton/" + min(c.Node, c.Peer) + "+" + max(c.Node, c.Peer) + "/alone"
}

func checkArbiter(d *document, c *Config) error {
	a := &c.Arbiter
	if !a.On() {
		for _, key := range []string{"key", "validity", "policy", "ca", "cert", "key_file"} {
			if d.has("arbiter." + key) {
				return d.fail("arbiter."+key, "is given without arbiter.etcd; name the cluster's members, such as http://198.18.3.1:2379")
			}
		}
		return nil
	}
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
