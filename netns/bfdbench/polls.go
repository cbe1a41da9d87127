package bfdbench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"baton/netns"
	"baton/netns/internal/tap"
)

// pollRate is the number of Polls per second sent to an end.
const pollRate = 50_000

// Offsets into an IPv4 frame, without options, with a BFD control packet.
const (
	offsetFrom      = 14 + 12
	offsetChecksum  = 14 + 20 + 6
	offsetYourDiscr = 14 + 20 + 8 + 8
)

const (
	flagPoll  = 1 << 5
	flagFinal = 1 << 4
)

// attack is where Polls are sent from: the host of one end, with its address.
type attack struct {
	host *netns.Host
	link string
	from netip.Addr
}

// startPolls sends Polls to the other end of each attack.
func startPolls(attacks []attack, program string) (*load, error) {
	l := &load{}
	for _, a := range attacks {
		p, err := a.host.Start(netns.ProcessConfig{Args: []string{program, "-work", "polls", a.link, a.from.String()}})
		if err != nil {
			return l, err
		}
		l.processes = append(l.processes, p)
	}
	return l, nil
}

// polls waits for a packet that this host sends, and repeats it with P set. A session
// without authentication cannot distinguish it from its peer's packets.
func polls(link string, from netip.Addr) error {
	i, err := net.InterfaceByName(link)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(tap.EveryProtocol))
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: tap.EveryProtocol, Ifindex: i.Index}); err != nil {
		return err
	}
	frame, err := genuine(fd, from)
	if err != nil {
		return err
	}
	frame[offsetState] = frame[offsetState]&^flagFinal | flagPoll
	binary.BigEndian.PutUint16(frame[offsetChecksum:], 0) // no UDP checksum
	// A separate socket sends: it does not need to read what arrives meanwhile.
	out, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(out)
	to := &unix.SockaddrLinklayer{Ifindex: i.Index}
	for due := time.Now(); ; due = due.Add(time.Millisecond) {
		time.Sleep(time.Until(due))
		for range pollRate / 1000 {
			if err := unix.Sendto(out, frame, 0, to); err != nil && !errors.Is(err, unix.ENOBUFS) {
				return fmt.Errorf("bfdbench: send a Poll: %w", err)
			}
		}
	}
}

// genuine waits for a control packet of an established session from an address.
func genuine(fd int, from netip.Addr) ([]byte, error) {
	frame := make([]byte, 256)
	for {
		n, _, err := unix.Recvfrom(fd, frame, 0)
		if err != nil {
			return nil, fmt.Errorf("bfdbench: wait for a control packet: %w", err)
		}
		source := from.As4()
		switch {
		case n < offsetYourDiscr+4, binary.BigEndian.Uint16(frame[12:]) != unix.ETH_P_IP,
			[4]byte(frame[offsetFrom:offsetFrom+4]) != source, binary.BigEndian.Uint16(frame[offsetPort:]) != controlPort,
			frame[offsetState]>>6 != stateUp:
			continue
		}
		return frame[:n], nil
	}
}
