package arpwatch

import (
	"net/netip"
	"time"
)

// pacer spaces the reports about each VIP. It is bounded by the VIPs, which the filter
// lets through and nothing else.
type pacer struct{ vips map[key]*pace }

type key struct {
	vip  netip.Addr
	link string
}

type pace struct {
	claim Claim // since the last report; its Count is 0 without any
	last  time.Time
}

// add takes a claim, together with those that wait.
func (p *pacer) add(c Claim) {
	if p.vips == nil {
		p.vips = map[key]*pace{}
	}
	k := key{c.VIP, c.Link}
	at := p.vips[k]
	if at == nil {
		at = &pace{}
		p.vips[k] = at
	}
	c.Count += at.claim.Count
	at.claim = c
}

// due takes out what may be reported.
func (p *pacer) due(now time.Time) []Claim {
	var due []Claim
	for _, at := range p.vips {
		if at.claim.Count > 0 && now.Sub(at.last) >= Every {
			due = append(due, at.claim)
			at.claim, at.last = Claim{}, now
		}
	}
	return due
}

// idle is how long to wait where nothing waits to be reported.
const idle = time.Hour

// wait returns how long it is until something is due.
func (p *pacer) wait(now time.Time) time.Duration {
	wait := idle
	for _, at := range p.vips {
		if at.claim.Count > 0 {
			wait = min(wait, at.last.Add(Every).Sub(now))
		}
	}
	return max(wait, 0)
}
