package bpf

import (
	"net"
	"time"

	"pgregory.net/rapid"

	"baton/impl/clock"
	"baton/impl/dataplane"
	"baton/impl/flow"
)

// stage is a part of a flow's life: what its client sends then, and what its backend answers.
type stage struct {
	client, backend int    // TCP flags
	chunk, answer   string // of SCTP
}

var (
	opening    = stage{syn, syn | ack, initChunk(chunkInit, clientTag), initChunk(chunkInitAck, backendTag)}
	confirming = stage{ack, ack, chunk(chunkCookieEcho, 0, "cookie"), chunk(chunkCookieAck, 0, "")}
	talking    = stage{ack | psh, ack | psh, chunk(chunkData, 3, payload), chunk(chunkData, 3, payload)}
	ending     = stage{fin | ack, ack, chunk(chunkShutdown, 0, "\x00\x00\x00\x01"), chunk(chunkShutdownAck, 0, "")}
)

// journeys takes flows of any service through all their states, mostly in an empty table. Random
// packets do that too rarely for each run to reach each state in each mode.
func (p *pair) journeys(t *rapid.T) {
	p.both("lease", func(s subject) error { return s.Lease(clock.Never) })
	if rapid.IntRange(0, 3).Draw(t, "among others") > 0 {
		p.now = p.now.Add(24 * time.Hour)
		p.both("advance", func(s subject) error { s.advance(p.now); return nil })
		p.sweep(t)
	}
	for range rapid.IntRange(1, 3).Draw(t, "flows") {
		p.journey(t, rapid.SampledFrom(testConfig().Services).Draw(t, "service"))
	}
}

// journey takes a flow of a service from its first packet or, if adopted, from its middle, through its
// states, occasionally to its end.
func (p *pair) journey(t *rapid.T, service dataplane.Service) {
	o := flow.Tuple{
		Proto: service.Proto, Src: address(rapid.SampledFrom([]string{clientAddr, otherClient}).Draw(t, "client")),
		SrcPort: rapid.Uint16Range(40000, 40002).Draw(t, "sport"), Dst: service.VIP, DstPort: service.Port,
	}
	stages := []stage{opening, confirming, talking}
	if rapid.Bool().Draw(t, "adopted") {
		stages = []stage{talking, talking}
		p.both("miss", func(s subject) error { return s.SetMiss(dataplane.MissAdopt) })
		defer p.both("miss", func(s subject) error { return s.SetMiss(dataplane.MissDrop) })
	}
	if rapid.Bool().Draw(t, "ended") {
		stages = append(stages, ending)
	}
	for _, stage := range stages {
		p.speak("client0", clientMAC, o, stage.client, stage.chunk)
		p.compare(t)
		if e, ok, _ := p.model.Lookup(o); ok {
			p.speak("backend0", backendMAC, e.Reply, stage.backend, stage.answer)
		}
	}
}

// speak sends a packet with the numbers, or the tag, that its sender would give it.
func (p *pair) speak(link string, mac net.HardwareAddr, o flow.Tuple, flags int, chunk string) {
	if o.Proto != flow.SCTP {
		p.send(link, p.talk.number(p.t, p.model, link, frameTo(mac, o, flags, payload)))
		return
	}
	tag := tagOf(o)
	if chunk == opening.chunk {
		tag = 0 // the other side has not sent its tag yet
	}
	p.send(link, sctpFrame(mac, o, tag, chunk))
}
