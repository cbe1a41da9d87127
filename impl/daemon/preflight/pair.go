package preflight

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"slices"

	"baton/impl/daemon/config"
)

// Pair compares the configurations of the two nodes of a pair.
func Pair(one, other *config.Config) []Finding {
	return []Finding{names(one, other), paths(one, other), timers(one, other), arbiters(one, other), services(one, other), secrets(one, other)}
}

// differ notes two values that must be equal.
func differ(wrong *[]string, key string, one, other any) {
	if !reflect.DeepEqual(one, other) {
		*wrong = append(*wrong, fmt.Sprintf("%s is %v here and %v at the peer", key, one, other))
	}
}

func names(one, other *config.Config) Finding {
	var wrong []string
	if one.Node != other.Peer || one.Peer != other.Node {
		wrong = append(wrong, fmt.Sprintf("%s expects %s, and %s expects %s", one.Node, one.Peer, other.Node, other.Peer))
	}
	return finding("the peer's name", one.Node+" and "+other.Node+" name each other", wrong)
}

func paths(one, other *config.Config) Finding {
	type end struct{ local, peer netip.Addr }
	ends := func(c *config.Config, turned bool) (all []end) {
		for _, p := range c.BFD.Paths {
			e := end{p.Local, p.Peer}
			if turned {
				e = end{p.Peer, p.Local}
			}
			all = append(all, e)
		}
		return all
	}
	var wrong []string
	theirs := ends(other, true)
	for i, e := range ends(one, false) {
		if !slices.Contains(theirs, e) {
			wrong = append(wrong, fmt.Sprintf("path %s: the peer has none from %v to %v", one.BFD.Paths[i].Name, e.peer, e.local))
		}
	}
	differ(&wrong, "the number of paths", len(one.BFD.Paths), len(other.BFD.Paths))
	if one.Sync.Local != other.Sync.Peer || one.Sync.Peer != other.Sync.Local {
		wrong = append(wrong, fmt.Sprintf("sync: %v to %v here, %v to %v at the peer", one.Sync.Local, one.Sync.Peer, other.Sync.Local, other.Sync.Peer))
	}
	return finding("the peer's addresses", "paths and sync stream lead to each other", wrong)
}

// timers must match: they determine the lease of one node and the detection of the other
// (docs/lease.md).
func timers(one, other *config.Config) Finding {
	var wrong []string
	differ(&wrong, "bfd.tx", one.BFD.TX, other.BFD.TX)
	differ(&wrong, "bfd.rx", one.BFD.RX, other.BFD.RX)
	differ(&wrong, "bfd.mult", one.BFD.Mult, other.BFD.Mult)
	return finding("the peer's timers", fmt.Sprintf("the same: detection within %v", one.BFD.Detect()), wrong)
}

// arbiters must be equal: two nodes with different ones may both act alone. The probes must be equal
// too: a MASTER that loses the gateway waits for two of its own probes, in which the peer may lose it
// as well.
func arbiters(one, other *config.Config) Finding {
	var wrong []string
	kind, theirs := one.Arbiter.Kind(), other.Arbiter.Kind()
	differ(&wrong, "the arbiter", kind, theirs)
	if kind != theirs || kind == config.ArbiterNone {
		return finding("the peer's arbiter", "neither node has one", wrong)
	}
	a, b := &one.Arbiter, &other.Arbiter
	differ(&wrong, "arbiter.policy", a.Policy, b.Policy)
	differ(&wrong, "arbiter.key", a.Key, b.Key)
	differ(&wrong, "arbiter.validity", a.Validity, b.Validity)
	differ(&wrong, "arbiter.gateway", a.Gateway, b.Gateway)
	differ(&wrong, "arbiter.every", a.Every, b.Every)
	differ(&wrong, "arbiter.rise", a.Rise, b.Rise)
	differ(&wrong, "arbiter.fall", a.Fall, b.Fall)
	if !sharesMember(a.Etcd, b.Etcd) {
		wrong = append(wrong, fmt.Sprintf("arbiter.etcd: no member of %v is one of %v; name one that both nodes use", a.Etcd, b.Etcd))
	}
	return finding("the peer's arbiter", "the same "+string(kind), wrong)
}

// sharesMember reports whether two lists of etcd's members have one in common, or the first is empty.
func sharesMember(one, other []string) bool {
	return len(one) == 0 || slices.ContainsFunc(one, func(m string) bool { return slices.Contains(other, m) })
}

func services(one, other *config.Config) Finding {
	var wrong []string
	differ(&wrong, "services", one.Services, other.Services)
	differ(&wrong, "snat_ports", one.SNATPorts, other.SNATPorts)
	differ(&wrong, "max_flows", one.MaxFlows, other.MaxFlows)
	differ(&wrong, "timeouts", one.Timeouts, other.Timeouts)
	if one.HA.Priority == other.HA.Priority && one.HA.Preempt == config.PreemptAfterSync {
		wrong = append(wrong, fmt.Sprintf("ha.priority is %d on both: with preempt after-sync one must be preferred", one.HA.Priority))
	}
	return finding("the peer's services", fmt.Sprintf("the same %d", len(one.Services)), wrong)
}

// secrets compares the files that both nodes share, if the peer's are on this host.
func secrets(one, other *config.Config) Finding {
	var wrong []string
	compared := 0
	for _, f := range []struct{ key, one, other string }{
		{"bfd.secret", one.BFD.Secret, other.BFD.Secret}, {"sync.ca", one.Sync.CA, other.Sync.CA},
	} {
		if (f.one == "") != (f.other == "") {
			wrong = append(wrong, f.key+" is set on only one node")
			continue
		}
		ours, errOurs := os.ReadFile(f.one)
		theirs, errTheirs := os.ReadFile(f.other)
		if errOurs != nil || errTheirs != nil {
			continue
		}
		compared++
		if !bytes.Equal(ours, theirs) {
			wrong = append(wrong, f.key+": "+f.one+" and "+f.other+" differ; both nodes take them from one baton pki init")
		}
	}
	return finding("the peer's authority and secret", fmt.Sprintf("%d files compared, equal", compared), wrong)
}
