package bpf

import (
	"flag"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"baton/impl/dataplane"
	"baton/impl/flow"
)

// reach counts the outcomes of random sequences: a comparison proves nothing about
// outcomes that never occurred.
type reach map[string]int

// fate counts the outcome of a packet: its link, the verdict, the reason of a drop, the
// protocol of a forwarded packet.
func (r reach) fate(fate, link string) {
	words := strings.Fields(fate)
	if len(words) > 1 && !strings.HasSuffix(words[0], "-reply") {
		words = []string{words[0], strings.TrimSuffix(words[1], ":")}
	} else {
		words = words[:1]
	}
	r[link+" "+strings.Join(words, " ")]++
}

// entries counts the states of flows, by the origin of their entries.
func (r reach) entries(t rapid.TB, s subject) {
	err := s.Dump(func(e flow.Entry) bool {
		if e.Original.IsAffinity() {
			r["affinity "+e.Original.Proto.String()+" "+e.Origin.String()]++
			return true
		}
		if e.Reply.Unclaimed() {
			r["direct "+e.State.String()+" "+e.Origin.String()]++
			if e.Original.Proto == flow.SCTP {
				r["sctp direct "+e.State.String()+" "+e.Origin.String()]++
			}
			return true
		}
		if e.Original.Proto == flow.SCTP {
			r["sctp "+e.State.String()+" "+e.Origin.String()]++
		}
		r[e.State.String()+" "+e.Origin.String()]++
		if e.Original.DstPort >= widePort && e.Origin != flow.Synced {
			r["range "+e.Original.Proto.String()+" "+e.Origin.String()]++
		}
		if e.Reply.Dst == address(poolAddr) && e.Origin == flow.Opened {
			r["opened from the pool"]++
		}
		if e.Original.DstPort == resumedPort && e.Reply.DstPort >= testConfig().SNATPeer.First {
			r["resumed "+e.State.String()+" "+e.Origin.String()]++
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
}

// wanted lists the outcomes that the sequences of one test together reach, each many times.
var wanted = []string{
	"client0 forward tcp", "client0 forward udp", "backend0 forward tcp", "backend0 forward udp",
	"client0 pass", "backend0 pass", "client0 arp-reply", "backend0 arp-reply",
	"client0 drop no-lease", "client0 drop miss", "client0 drop no-service", "client0 drop no-backend", "client0 drop no-port",
	"client0 drop service-limit", "client0 drop source-limit",
	"client0 refuse challenged", "client0 drop challenged", "client0 drop validated", "client0 drop no-challenge", "opened after a challenge",
	"client0 drop table-full", "client0 drop malformed", "client0 drop fragment", "client0 drop other-proto",
	"client0 forward fragment", "backend0 forward fragment", "client0 drop fragment-overlap", "backend0 drop fragment-overlap",
	"client0 forward icmp", "backend0 forward icmp", "client0 echo-reply", "backend0 echo-reply",
	"client0 tunnel forward", "backend0 drop tunnel",
	"client0 refuse ttl", "backend0 refuse ttl", "client0 refuse too-big", "backend0 refuse too-big",
	"client0 drop icmp", "backend0 drop icmp", "client0 drop icmp-forged", "backend0 drop icmp-forged",
	"client0 drop source", "client0 drop checksum", "client0 drop source-route", "client0 drop ttl", "backend0 drop unconfirmed",
	"backend0 drop no-lease", "backend0 drop miss", "backend0 drop fragment", "backend0 drop other-proto",
	"syn-sent opened", "established opened", "fin-wait opened", "closed opened", "unreplied opened", "assured opened",
	"syn-sent synced", "established synced", "fin-wait synced", "closed synced", "unreplied synced", "assured synced",
	"syn-sent adopted", "established adopted", "fin-wait adopted", "closed adopted", "swept",
	"direct syn-sent opened", "direct established opened", "direct fin-wait opened", "direct closed opened",
	"direct unreplied opened", "direct assured opened", "direct syn-sent adopted", "direct established adopted",
	"direct established synced", "direct fin-wait synced", "direct closed synced",
	"client0 forward sctp", "backend0 forward sctp",
	"sctp syn-sent opened", "sctp established opened", "sctp fin-wait opened", "sctp closed opened",
	"sctp syn-sent adopted", "sctp established adopted", "sctp established synced", "sctp closed synced",
	"sctp direct syn-sent opened", "sctp direct established opened", "sctp direct fin-wait opened", "sctp direct closed opened",
	"opened from the pool", "resumed syn-sent adopted", "resumed established adopted",
	"range tcp opened", "range udp opened", "range tcp adopted",
	"affinity tcp opened", "affinity udp opened", "affinity tcp synced", "affinity udp synced",
}

// reachRounds is the maximum number of rounds drawn to reach all outcomes. The rarest outcomes are
// missing from a third of the rounds, and from all rounds with a probability of 2e-6.
const reachRounds = 12

// until draws sequences until they have reached all wanted outcomes except those in unknown, which the
// family lacks, and fails for each missing one. A given seed is that of the first round; each round
// draws other sequences.
func (r reach) until(t *testing.T, unknown []string, draw func()) {
	t.Helper()
	seed := flag.Lookup("rapid.seed").Value
	first, err := strconv.ParseUint(seed.String(), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	var missing []string
	for round := range uint64(reachRounds) {
		if first != 0 {
			if err := seed.Set(strconv.FormatUint(first+round<<32, 10)); err != nil {
				t.Fatal(err)
			}
		}
		draw()
		missing = slices.DeleteFunc(slices.Clone(wanted), func(w string) bool { return r[w] > 0 || slices.Contains(unknown, w) })
		if len(missing) == 0 || testing.Short() { // with -short rapid runs a fifth of the sequences, which need not reach everything
			break
		}
	}
	if err := seed.Set(strconv.FormatUint(first, 10)); err != nil {
		t.Fatal(err)
	}
	t.Log(map[string]int(r))
	if len(missing) > 0 && !testing.Short() {
		t.Errorf("the sequences never reached %q", missing)
	}
}

// fast counts what XDP did.
func (r reach) fast(f dataplane.Fast) {
	for direction, n := range f.Forwarded {
		r[[]string{"fast original", "fast reply"}[direction]] += int(n)
	}
	for why := range dataplane.LeftKinds {
		r["left "+why.String()] += int(f.Left[why])
	}
}

// checkFast fails if XDP handled no packets.
func (r reach) checkFast(t *testing.T) {
	t.Helper()
	if testing.Short() {
		return
	}
	for _, w := range []string{"fast original", "fast reply", "left new", "left neighbour", "left checksum", "left other"} {
		if r[w] == 0 {
			t.Errorf("the sequences never reached %q", w)
		}
	}
}
