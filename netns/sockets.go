package netns

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// destroySockets destroys the TCP sockets of the host's namespace. Otherwise the kernel
// retransmits FIN and data for minutes after the process is dead, which no power failure
// would, and holds the namespace meanwhile. It has no receipt; a kernel without
// CONFIG_INET_DIAG_DESTROY leaves the sockets to their timers.
func (h *Host) destroySockets() error {
	return h.Do(func() error {
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			sockets, err := netlink.SocketDiagTCP(family)
			if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EAFNOSUPPORT) {
				continue // a kernel without sock_diag for TCP, or without IPv6
			}
			if err != nil {
				return fmt.Errorf("list TCP sockets: %w", err)
			}
			for _, s := range sockets {
				request := nl.NewNetlinkRequest(nl.SOCK_DESTROY, unix.NLM_F_ACK)
				request.AddData((*destroyRequest)(s))
				_, err := request.Execute(unix.NETLINK_INET_DIAG, 0)
				if errors.Is(err, unix.EOPNOTSUPP) {
					return nil
				}
				// ENOENT: the socket is already gone.
				if err != nil && !errors.Is(err, unix.ENOENT) {
					return fmt.Errorf("destroy TCP socket on port %d: %w", s.ID.SourcePort, err)
				}
			}
		}
		return nil
	})
}

// destroyRequest is the struct inet_diag_req_v2 that identifies one TCP socket by its
// addresses and kernel cookie.
type destroyRequest netlink.Socket

const destroyRequestLen = 56

func (r *destroyRequest) Len() int { return destroyRequestLen }

func (r *destroyRequest) Serialize() []byte {
	b := make([]byte, 0, destroyRequestLen)
	b = append(b, r.Family, unix.IPPROTO_TCP, 0, 0)
	b = binary.NativeEndian.AppendUint32(b, ^uint32(0)) // in any state
	b = binary.BigEndian.AppendUint16(b, r.ID.SourcePort)
	b = binary.BigEndian.AppendUint16(b, r.ID.DestinationPort)
	var addresses [32]byte
	if r.Family == unix.AF_INET6 {
		copy(addresses[:16], r.ID.Source.To16())
		copy(addresses[16:], r.ID.Destination.To16())
	} else {
		copy(addresses[:16], r.ID.Source.To4())
		copy(addresses[16:], r.ID.Destination.To4())
	}
	b = append(b, addresses[:]...)
	b = binary.NativeEndian.AppendUint32(b, r.ID.Interface)
	b = binary.NativeEndian.AppendUint32(b, r.ID.Cookie[0])
	return binary.NativeEndian.AppendUint32(b, r.ID.Cookie[1])
}
