package daemon

import (
	"cmp"
	crypto "crypto/rand"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"baton/impl/bfd"
	"baton/impl/daemon/bfdio"
	"baton/impl/daemon/config"
	"baton/impl/daemon/pki"
	"baton/impl/dataplane"
	"baton/impl/node"
)

// nodeConfig derives the core's configuration. The incarnation is the wall clock's time: it
// must be larger than that of the previous process.
func nodeConfig(c *config.Config, identity *pki.Identity) node.Config {
	out := node.Config{
		ID: c.Node, Peer: c.Peer, Priority: c.HA.Priority, Incarnation: uint64(time.Now().UnixNano()),
		Links:   []string{c.Links.Client, c.Links.Backend},
		Track:   node.Track{Targets: targets(c), Misses: int(c.Track.Misses)},
		Hold:    time.Duration(c.HA.Hold),
		Arbiter: arbiterConfig(c),
		Preempt: map[config.Preempt]node.Preempt{
			config.PreemptNever: node.PreemptNever, config.PreemptAfterSync: node.PreemptAfterSync, config.PreemptImmediate: node.PreemptImmediate,
		}[c.HA.Preempt],
		Scrub:    true,
		GatesOff: c.HA.Gates == config.GatesOff,
		Announce: node.Pace{
			VIPs: len(c.VIPs()), Every: time.Duration(c.HA.AnnounceEvery), Rate: c.HA.AnnounceRate, Seed: rand.Uint64(),
		},
		AnnounceEarly: c.HA.Announce == config.AnnounceBeforeInstall,
	}
	if c.Sync.Defer == config.DeferEstablished {
		out.Defer = time.Duration(c.Sync.DeferLimit)
	}
	out.Sync.Key = identity.PairKey()
	out.Sync.Capacity = cmp.Or(c.MaxFlows, dataplane.DefaultMaxFlows)
	for _, p := range c.BFD.Paths {
		out.Paths = append(out.Paths, node.Path{
			Name:        p.Name,
			CarriesSync: p.Local == c.Sync.Local.Addr(),
			BFD: bfd.Config{
				LocalDiscr:            bfdio.Discriminator(func(d uint32) bool { return hasDiscr(out.Paths, d) }),
				DesiredMinTxInterval:  time.Duration(c.BFD.TX),
				RequiredMinRxInterval: time.Duration(c.BFD.RX),
				DetectMult:            c.BFD.Mult,
				Seed:                  rand.Uint64(),
				Auth:                  heartbeatAuth(c, p, identity),
			},
		})
	}
	return out
}

// dataplaneConfig returns the dataplane's configuration, with the seed that both nodes derive and
// the random numbers that each draws at its start.
func dataplaneConfig(c *config.Config, identity *pki.Identity) dataplane.Config {
	cfg := c.Dataplane()
	cfg.SNATSeed, cfg.DatagramSeed = identity.SNATSeed(), rand.Uint64()
	cfg.SNATTurn = 1 + rand.Uint64N(math.MaxUint64)
	if c.HA.Gates == config.GatesOff {
		cfg.SNATSeed = rand.Uint64() // MissGuess picks unrelated ports, as in the nodes whose bug it shows
	}
	for i := range cfg.ChallengeKey {
		var key [8]byte
		_, _ = crypto.Read(key[:]) // never fails
		cfg.ChallengeKey[i] = binary.NativeEndian.Uint64(key[:])
	}
	return cfg
}

func arbiterConfig(c *config.Config) node.Arbiter {
	out := node.Arbiter{Validity: time.Duration(c.Arbiter.Validity)}
	if g := c.Arbiter.Gateway; g.IsValid() {
		out.Gateway = node.Gateway{Name: g.String(), Rise: int(c.Arbiter.Rise), Fall: int(c.Arbiter.Fall)}
	}
	if c.Arbiter.Policy == config.PolicyKeepServing {
		out.Policy = node.KeepServing
	}
	return out
}

// Key numbers of the authenticated heartbeat: the node with the lexically smaller id has
// the first.
const (
	keyOfSmaller = 1
	keyOfLarger  = 2
)

// heartbeatAuth returns the authentication of a path's session: none without a secret, else
// BFD's strongest type with a sequence number that each packet increases.
func heartbeatAuth(c *config.Config, p config.Path, identity *pki.Identity) bfd.Auth {
	mine := bfd.Key{ID: keyOfSmaller, Secret: identity.HeartbeatKey(c.Node, p.Local), SendOnly: true}
	theirs := bfd.Key{ID: keyOfLarger, Secret: identity.HeartbeatKey(c.Peer, p.Peer)}
	if mine.Secret == nil {
		return bfd.Auth{}
	}
	if c.Node > c.Peer {
		mine.ID, theirs.ID = theirs.ID, mine.ID
	}
	return bfd.Auth{
		Type: bfd.AuthMeticulousKeyedSHA1, Keys: []bfd.Key{mine, theirs}, SendKey: mine.ID,
		FirstSeq: bfd.ResumedSeq(time.Duration(time.Now().UnixNano()), time.Duration(c.BFD.TX), time.Duration(c.BFD.RX)), Resumes: true,
	}
}

func hasDiscr(paths []node.Path, discr uint32) bool {
	return slices.ContainsFunc(paths, func(p node.Path) bool { return p.BFD.LocalDiscr == discr })
}

// targets returns the tracked targets by the names that the core reports.
func targets(c *config.Config) []string {
	names := make([]string, len(c.Track.Targets))
	for i, t := range c.Track.Targets {
		names[i] = t.String()
	}
	return names
}

// backends returns the address of every backend once.
func backends(c *config.Config) []netip.Addr {
	var addrs []netip.Addr
	for _, s := range c.Services {
		for _, b := range s.Backends {
			if !slices.Contains(addrs, b.Addr()) {
				addrs = append(addrs, b.Addr())
			}
		}
	}
	return addrs
}
