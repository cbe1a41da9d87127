package bpf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/dataplane/model"
	"baton/impl/flow"
)

func challengeService(l dataplane.Limits) dataplane.Service {
	s := labService(flow.TCP, challengePort, dataplane.DNAT, dataplane.RoundRobin, 8081)
	s.Limits = l
	return s
}

// challengeFate describes the answer to a SYN whose source is challenged: "<tuple> ack <number>".
func challengeFate(t rapid.TB, syn, out []byte) string {
	t.Helper()
	tcp := out[partsOf(out).l4:]
	seq, number, sent := binary.BigEndian.Uint32(tcp[4:]), binary.BigEndian.Uint32(tcp[8:]), binary.BigEndian.Uint32(syn[partsOf(syn).l4+4:])
	back := bytes.Equal(out[:6], syn[6:12]) && bytes.Equal(out[6:12], syn[:6])
	relayed := bytes.Equal(syn[6:12], otherMAC["client0"]) // then the kernel's neighbour table is used
	if tcp[13] != ack || seq != 0 || len(tcp) != 20 || !back && !relayed {
		t.Errorf("a challenge: flags %#x, seq %d, %d bytes, Ethernet %x", tcp[13], seq, len(tcp), out[:12])
	}
	if int32(number-sent) > 0 {
		t.Errorf("the SYN has the number %d, and the challenge acknowledges %d, which is after it", sent, number)
	}
	return fmt.Sprintf("%s ack %d", tupleOf(out), number)
}

// forgetValidated makes the programs forget which sources have answered a challenge.
func forgetValidated(t testing.TB, d *Dataplane) {
	t.Helper()
	for _, f := range d.families {
		validated := f.objects().Validated
		var keys [][]byte
		var key, value []byte
		for all := validated.Iterate(); all.Next(&key, &value); {
			keys = append(keys, bytes.Clone(key))
		}
		for _, key := range keys {
			if err := validated.Delete(key); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// challengeSlot is the minimum validity of a challenge, and half of the maximum.
const challengeSlot = 1 << 32 * time.Nanosecond

// challengeTests: above the threshold a source must prove that it receives packets at its
// address before it gets an entry.
func challengeTests() []packetTest {
	key := testConfig().ChallengeKey
	from := func(client string, sport uint16) flow.Tuple {
		return tuple(flow.TCP, client, sport, vipAddr, challengePort)
	}
	replyOf := func(o flow.Tuple) flow.Tuple {
		return flow.Tuple{Proto: o.Proto, Src: address(backendAddr), SrcPort: 8081, Dst: o.Src, DstPort: o.SrcPort}
	}
	opens := func(o flow.Tuple) step { return in(o, syn, forwarded(replyOf(o).Reverse())) }
	at := func(since time.Duration) clock.Instant { return origin.Add(since) }
	number := func(o flow.Tuple, at clock.Instant) uint32 { return model.ChallengeNumber(key, o, at, clientISN) }
	challenged := func(o flow.Tuple, at clock.Instant) step {
		return in(o, syn, fmt.Sprintf("refuse challenged: %s ack %d", o.Reverse(), number(o, at)))
	}
	resets := func(o flow.Tuple, seq uint32, want string) step { return blindly(seq, 0, in(o, rst, want)) }
	answers := func(o flow.Tuple, at clock.Instant) step { return resets(o, number(o, at), "drop validated") }
	limits := func(l dataplane.Limits, more ...dataplane.Service) step {
		return do(func(d dataplane.Dataplane) error {
			return d.SetServices(append([]dataplane.Service{challengeService(l)}, more...), testConfig().VIPs)
		})
	}
	gone := do(deleteAll)
	pressed := []step{opens(from(otherClient, 50000)), opens(from(otherClient, 50001))} // at the threshold
	all := func(steps ...step) []step { return append(append(append([]step{}, pressed...), steps...), gone) }
	o := from(clientAddr, 40000)
	another := from(clientAddr, 40001)
	second := labService(flow.TCP, dnatPort, dataplane.DNAT, dataplane.RoundRobin, 8081)
	second.Limits.SYNChallenge = 2
	slotEnd := challengeSlot - time.Duration(origin)%challengeSlot // end of the slot that contains origin
	return []packetTest{{
		rule:  "over the threshold a SYN is challenged, the answer validates its source, and the next SYN opens",
		steps: all(challenged(o, origin), challenged(o, origin), answers(o, origin), opens(o), opens(another), challenged(from("198.18.0.13", 1), origin)),
	}, {
		rule:  "below the threshold nobody is challenged",
		steps: []step{opens(from(otherClient, 50000)), opens(o), challenged(another, origin), gone},
	}, {
		rule: "an answered flow is no longer embryonic, so the next source is not challenged",
		steps: all(challenged(o, origin), back(replyOf(from(otherClient, 50000)), syn|ack, forwarded(from(otherClient, 50000).Reverse())),
			in(from(otherClient, 50000), ack, forwarded(replyOf(from(otherClient, 50000)).Reverse())), opens(o), challenged(another, origin)),
	}, {
		rule: "a RST of another number validates nothing",
		steps: all(challenged(o, origin), resets(o, number(o, origin)+1, "drop no-challenge"), resets(o, number(o, origin)-1, "drop no-challenge"),
			resets(o, 0, "drop no-challenge"), resets(o, clientISN, "drop no-challenge"), resets(o, clientISN+1, "drop no-challenge"), challenged(o, origin)),
	}, {
		rule: "a number holds for its ports, its source and its service alone",
		steps: all(resets(another, number(o, origin), "drop no-challenge"), resets(o, number(from(otherClient, 40000), origin), "drop no-challenge"),
			resets(from("198.18.0.13", 40000), number(o, origin), "drop no-challenge"), resets(o, number(toVIP(flow.TCP, 40000, dnatPort), origin), "drop no-challenge"),
			challenged(o, origin)),
	}, {
		rule: "a challenge can be answered in its slot and in the next one",
		steps: all(later(slotEnd-1, challenged(o, origin)), later(1, challenged(o, at(slotEnd))), resets(another, number(another, origin), "drop validated"),
			later(challengeSlot-1, resets(o, number(o, origin), "drop validated")), later(1, resets(o, number(o, origin), "drop no-challenge")),
			resets(o, number(o, at(slotEnd)), "drop validated")),
	}, {
		rule: "a validated source is challenged again after its time",
		steps: all(answers(o, origin), later(dataplane.ValidatedLife-1, opens(o)), later(1, challenged(another, at(dataplane.ValidatedLife))),
			answers(another, at(dataplane.ValidatedLife)), opens(another)),
	}, {
		rule: "a source is validated for one service",
		steps: []step{limits(dataplane.Limits{SYNChallenge: 2}, second), pressed[0], pressed[1], answers(o, origin), opens(o),
			in(toVIP(flow.TCP, 50000, dnatPort), syn, forwarded(dnatReply(flow.TCP, 50000, 8081).Reverse())),
			in(toVIP(flow.TCP, 50001, dnatPort), syn, forwarded(dnatReply(flow.TCP, 50001, 8081).Reverse())),
			challenged(toVIP(flow.TCP, 40000, dnatPort), origin), gone},
	}, {
		rule:  "without the lease nobody is challenged, and nobody validated",
		steps: all(leaseUntil(origin), in(o, syn, "drop no-lease"), resets(o, number(o, origin), "drop no-lease"), leaseUntil(clock.Never), challenged(o, origin)),
	}, {
		rule: "what the peer relays is neither challenged nor validated",
		steps: all(knowPeer(), leaseUntil(origin), fromPeer(in(o, syn, "drop relayed")), fromPeer(resets(o, number(o, origin), "drop relayed")),
			leaseUntil(clock.Never), challenged(o, origin)),
	}, {
		rule: "mid-flow segments are not challenged: they are dropped or adopted as ever",
		steps: all(in(o, ack, "drop miss"), in(o, fin|ack, "drop miss"), in(o, syn|ack, "drop miss"), onMiss(dataplane.MissGuess),
			in(o, ack, forwarded(replyOf(o).Reverse()))),
	}, {
		rule:  "a SYN that is repeated, and one that opens a closed flow anew, have an entry already",
		steps: all(opens(from(otherClient, 50000)), apply(flow.Entry{Original: o, Reply: replyOf(o), State: flow.Closed, Origin: flow.Synced, Remaining: time.Minute}), opens(o), challenged(another, origin)),
	}, {
		rule: "a validated source meets the other limits",
		steps: []step{limits(dataplane.Limits{SYNChallenge: 2, SourceEmbryonic: 1, Embryonic: 3}), opens(from(otherClient, 50000)), opens(from("198.18.0.13", 1)),
			answers(o, origin), opens(o), in(another, syn, "drop source-limit"), challenged(from("198.18.0.14", 1), origin), gone},
	}, {
		rule: "a RST of an open flow is no answer",
		steps: all(back(replyOf(from(otherClient, 50000)), syn|ack, forwarded(from(otherClient, 50000).Reverse())), resets(from(otherClient, 50000),
			number(from(otherClient, 50000), origin), forwarded(replyOf(from(otherClient, 50000)).Reverse())), answers(o, origin)),
	}, {
		rule:  "a SYN in fragments is only dropped",
		steps: all(step{link: "client0", blind: true, frame: fragments(frameTo(clientMAC, o, syn, long), 7, 24)[0], want: "drop challenged"}),
	}, {
		rule: "without a threshold a RST without an entry is a miss",
		steps: []step{limits(dataplane.Limits{Embryonic: 2}), resets(o, number(o, origin), "drop miss"), limits(dataplane.Limits{SYNChallenge: 2}), pressed[0], pressed[1],
			challenged(o, origin), gone},
	}}
}

// challenge brings a service to its threshold, and lets a source answer or guess.
func (p *pair) challenge(t *rapid.T) {
	o := originals.Draw(t, "original")
	o.Proto = flow.TCP
	if rapid.IntRange(0, 3).Draw(t, "elsewhere") > 0 {
		o.DstPort, o.Dst = challengePort, address(vipAddr)
	}
	for i := range uint16(2) {
		other := o
		other.SrcPort = 42000 + i
		p.send("client0", fromClient(other, syn))
	}
	o.SrcPort = 42010
	isn := rapid.Uint32().Draw(t, "isn")
	opening := withNumbers(fromClient(o, syn), isn, 0)
	if rapid.IntRange(0, 7).Draw(t, "in fragments") == 0 {
		p.send("client0", fragments(withNumbers(frameTo(clientMAC, o, syn, long), isn, 0), 7, 24)[0])
		return
	}
	p.send("client0", opening)
	number := model.ChallengeNumber(testConfig().ChallengeKey, o, p.now, isn)
	switch rapid.IntRange(0, 5).Draw(t, "answer") {
	case 0:
		number++
	case 1:
		o.SrcPort++
	case 2:
		p.passTime(t)
	}
	before := counters(t, p.model)
	p.send("client0", withNumbers(fromClient(o, rst), number, 0))
	answered := counters(t, p.model)
	p.send("client0", opening)
	if answered.Dropped[dataplane.DropValidated] > before.Dropped[dataplane.DropValidated] && counters(t, p.model).Created > answered.Created {
		p.reached["opened after a challenge"]++
	}
}

func deleteAll(d dataplane.Dataplane) error {
	var all []flow.Tuple
	if err := d.Dump(func(e flow.Entry) bool { all = append(all, e.Original); return true }); err != nil {
		return err
	}
	if err := d.Delete(all); err != nil {
		return err
	}
	_, err := d.Poll(dataplane.AllPending, func(flow.Event) {})
	return err
}

// A challenge's acknowledgement number is never after the SYN's number, anywhere in the sequence space.
func TestAChallengeIsNeverAccepted(t *testing.T) {
	bothFamilies(t, func(t *testing.T) {
		eachSubject(t, labConfig(challengeService(dataplane.Limits{SYNChallenge: 1})), func(t *testing.T, s subject) {
			if err := s.Lease(clock.Never); err != nil {
				t.Fatal(err)
			}
			fate(t, s, "client0", fromClient(toVIP(flow.TCP, 50000, challengePort), syn))
			for i, isn := range []uint32{0, 1, 1<<31 - 1, 1 << 31, 1<<31 + 1, 1<<32 - 1, 0x12345678, 0xdeadbeef} {
				o := toVIP(flow.TCP, uint16(40000+i), challengePort)
				plain := withNumbers(fromClient(o, syn), isn, 0)
				for name, frame := range map[string][]byte{
					"a SYN": plain, "one with something before": padded(plain), "one without a complete checksum": partial(plain),
				} {
					before := counters(t, s)
					_, out := s.packet("client0", frame) // challengeFate checks the number
					after := counters(t, s)
					if got := after.Dropped[dataplane.DropChallenged] - before.Dropped[dataplane.DropChallenged]; got != 1 {
						t.Fatalf("%s of the number %d: %d challenges", name, isn, got)
					}
					challengeFate(t, frame, out)
					if len(out) > len(frame) {
						t.Errorf("%s: an answer of %d bytes to %d", name, len(out), len(frame))
					}
				}
			}
		})
	})
}

// TestChallengedFlowsAreCountedByService: in the counts that the alarm uses.
func TestChallengedFlowsAreCountedByService(t *testing.T) {
	s := challengeService(dataplane.Limits{SYNChallenge: 2})
	eachSubject(t, labConfig(s), func(t *testing.T, sut subject) {
		if err := sut.Lease(clock.Never); err != nil {
			t.Fatal(err)
		}
		for i := range uint16(5) {
			fate(t, sut, "client0", fromClient(toVIP(flow.TCP, 40000+i, challengePort), syn))
		}
		if got, want := refused(t, sut)[s.Service], (dataplane.Refusals{Challenged: 3}); got != want {
			t.Errorf("refused %+v, want %+v", got, want)
		}
	})
}
