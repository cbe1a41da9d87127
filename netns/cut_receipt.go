package netns

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/cilium/ebpf/link"
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
		if err := r.attached(); err != nil {
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

// try sends one frame from the rule's sender to its receiver.
func (p *Pair) try(r *rule) error {
	sender := p.byName[r.From]
	from, _ := sender.Interface(r.Link)
	to, _ := p.byName[r.To].Interface(r.Link)
	device, err := sender.links.LinkByName(from.Name)
	if err != nil {
		return err
	}
	frame := slices.Concat(to.MAC, from.MAC, binary.BigEndian.AppendUint16(nil, etherExperiment), make([]byte, 46))
	return sender.Do(func() error {
		socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(socket)
		return unix.Sendto(socket, frame, 0, &unix.SockaddrLinklayer{Ifindex: device.Attrs().Index})
	})
}

// attached says why a rule's program is not at its place, nil if it is.
func (r *rule) attached() error {
	return r.where.Do(func() error {
		there, err := link.QueryPrograms(link.QueryOptions{Target: r.ifindex, Attach: r.hook})
		if err != nil {
			return err
		}
		for _, program := range there.Programs {
			if uint32(program.ID) == r.id {
				return nil
			}
		}
		return fmt.Errorf("program %d is not among the %d attached", r.id, len(there.Programs))
	})
}
