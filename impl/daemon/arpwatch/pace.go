package arpwatch

import (
	"net/netip"
	"time"
)

// pacer limits the rate of reports about each VIP. Its size is bounded by the number of
// VIPs, since the filter accepts nothing else.
type pacer struct{ vips map[key]*pace }

type key struct {
	vip  netip.Addr
	link string
}

type pace struct {
	claim Claim // since the last report; Count 0 if there was none
	last  time.Time
}

// add merges a claim into the pending ones.
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

// due removes and returns the claims that may be reported now.
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

// idle is the wait while nothing is pending.
const idle = time.Hour

// wait returns the time until the next report is due.
func (p *pacer) wait(now time.Time) time.Duration {
	wait := idle
	for _, at := range p.vips {
		if at.claim.Count > 0 {
			wait = min(wait, at.last.Add(Every).Sub(now))
		}
	}
	return max(wait, 0)
}
