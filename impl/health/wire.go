package health

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Flags of an encoded decision. Each time follows if its flag is set.
const (
	flagDown = 1 << iota
	flagDrains
	flagStarting
	flagIPv6
	flagsKnown = 1<<iota - 1
)

// AppendDecisions encodes decisions: each is its flags, the backend's address and port,
// and, in milliseconds, the time to the end of its drain and of its slow start. All numbers
// are big-endian.
func AppendDecisions(b []byte, decisions []Decision) []byte {
	for _, d := range decisions {
		var flags byte
		for _, f := range []struct {
			set bool
			bit byte
		}{{d.Down, flagDown}, {d.Drains, flagDrains}, {d.Starting, flagStarting}, {d.Backend.Addr().Is6(), flagIPv6}} {
			if f.set {
				flags |= f.bit
			}
		}
		b = append(append(b, flags), d.Backend.Addr().AsSlice()...)
		b = binary.BigEndian.AppendUint16(b, d.Backend.Port())
		if d.Drains {
			b = appendMillis(b, d.Drain)
		}
		if d.Starting {
			b = appendMillis(b, d.Slow)
		}
	}
	return b
}

func appendMillis(b []byte, d time.Duration) []byte {
	const most = 1<<32 - 1
	return binary.BigEndian.AppendUint32(b, uint32(min(max(d.Milliseconds(), 0), most)))
}

var errShort = errors.New("health: decisions are cut short")

// DecodeDecisions decodes what AppendDecisions has encoded.
func DecodeDecisions(b []byte) ([]Decision, error) {
	var list []Decision
	for len(b) > 0 {
		flags := b[0]
		if flags&^flagsKnown != 0 {
			return nil, fmt.Errorf("health: flags %#x of a decision are unknown", flags&^flagsKnown)
		}
		length := 4
		if flags&flagIPv6 != 0 {
			length = 16
		}
		if len(b) < 1+length+2 {
			return nil, errShort
		}
		addr, _ := netip.AddrFromSlice(b[1 : 1+length])
		d := Decision{
			Backend: netip.AddrPortFrom(addr, binary.BigEndian.Uint16(b[1+length:])),
			Down:    flags&flagDown != 0, Drains: flags&flagDrains != 0, Starting: flags&flagStarting != 0,
		}
		b = b[1+length+2:]
		for _, t := range []struct {
			there bool
			to    *time.Duration
		}{{d.Drains, &d.Drain}, {d.Starting, &d.Slow}} {
			if !t.there {
				continue
			}
			if len(b) < 4 {
				return nil, errShort
			}
			*t.to = time.Duration(binary.BigEndian.Uint32(b)) * time.Millisecond
			b = b[4:]
		}
		list = append(list, d)
	}
	return list, nil
}

// topicPrefix is the prefix of topics for a service's decisions.
const topicPrefix = "health/"

// Topic returns the topic of a service's decisions.
func Topic(service string) string { return topicPrefix + service }

// ServiceOf returns the service of a topic of decisions.
func ServiceOf(topic string) (service string, ok bool) { return strings.CutPrefix(topic, topicPrefix) }
