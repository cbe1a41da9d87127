package netns

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"baton/scenarios/lab"

	"golang.org/x/sys/unix"
)

// etherExperiment is the type of the frames by which the harness tries a cut: one that
// IEEE 802 leaves to local experiments, which no host and no capture reads.
const etherExperiment = 0x88b5

// proofLimit is how long a frame of the harness's own may take to the program that drops
// it. It takes microseconds.
const proofLimit = 250 * time.Millisecond

// prove says what shows that a rule holds, given what it had dropped before.
func (p *Pair) prove(ctx context.Context, r *rule, base uint64) (string, error) {
	carries, err := p.carries(r)
	if err != nil {
		return "", err
	}
	if !carries {
		if err := r.at.attached(); err != nil {
			return "", fmt.Errorf("%s: %w", r, err)
		}
		return fmt.Sprintf("%s: the link is down, the program is attached", r), nil
	}
	if err := p.try(r); err != nil {
		return "", fmt.Errorf("%s: send a frame: %w", r, err)
	}
	ctx, cancel := context.WithTimeout(ctx, proofLimit)
	defer cancel()
	var n uint64
	err = poll(ctx, func() (bool, string, error) {
		now, err := r.dropped()
		n = now - base
		return n > 0, fmt.Sprintf("%s: %d dropped", r, n), err
	})
	return fmt.Sprintf("%s: %d dropped", r, n), err
}

// carries reports whether frames of the rule could reach the place where it drops them.
func (p *Pair) carries(r *rule) (bool, error) {
	for _, name := range []string{r.From, r.To} {
		h := p.byName[name]
		i, _ := h.Interface(r.Link)
		device, err := h.links.LinkByName(i.Name)
		if err != nil {
			return false, fmt.Errorf("find %s/%s: %w", name, i.Name, err)
		}
		if device.Attrs().RawFlags&unix.IFF_LOWER_UP == 0 {
			return false, nil
		}
	}
	return true, nil
}

// trial is a frame that nobody but a filter takes: of an experiment, or where only BFD is
// filtered an empty BFD packet, which every receiver discards (RFC 5880 6.8.6). Its IP
// header is whole, since a bridge may look at that.
func trial(from, to Interface, only string) []byte {
	frame := slices.Concat(to.MAC, from.MAC, make([]byte, 48))
	binary.BigEndian.PutUint16(frame[ethType:], etherExperiment)
	if only != lab.BFD {
		return frame
	}
	binary.BigEndian.PutUint16(frame[ethType:], etherIPv4)
	ip := frame[ethLen : ethLen+20]
	ip[0], ip[8], ip[9] = ipv4NoOpts, 255, protocolUDP
	binary.BigEndian.PutUint16(ip[2:], udpEnd-ethLen)
	copy(ip[12:], from.Addr.Addr().AsSlice())
	copy(ip[16:], to.Addr.Addr().AsSlice())
	binary.BigEndian.PutUint16(ip[10:], checksum(ip))
	binary.BigEndian.PutUint16(frame[udpDestPort:], bfdPort)
	binary.BigEndian.PutUint16(frame[udpDestPort+2:], udpEnd-ethLen-20)
	return frame[:udpEnd]
}

// checksum is the Internet checksum (RFC 1071).
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// try sends one frame from the rule's sender to its receiver.
func (p *Pair) try(r *rule) error {
	sender := p.byName[r.From]
	from, _ := sender.Interface(r.Link)
	to, _ := p.byName[r.To].Interface(r.Link)
	device, err := sender.links.LinkByName(from.Name)
	if err != nil {
		return err
	}
	frame := trial(from, to, r.Only)
	return sender.Do(func() error {
		socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(socket)
		return unix.Sendto(socket, frame, 0, &unix.SockaddrLinklayer{Ifindex: device.Attrs().Index})
	})
}
