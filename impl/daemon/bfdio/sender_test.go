package bfdio

import (
	"testing"

	"github.com/containernetworking/plugins/pkg/ns"
	"golang.org/x/sys/unix"
)

func TestControlPacketsGoFirst(t *testing.T) {
	inNetNS(t, func(other ns.NetNS) {
		s := sender(t, other)
		if tos, err := unix.GetsockoptInt(s.fd, unix.SOL_IP, unix.IP_TOS); err != nil || tos != tosCS6 {
			t.Errorf("TOS %#x, %v; want CS6", tos, err)
		}
		if prio, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_PRIORITY); err != nil || prio != prioControl {
			t.Errorf("priority %d, %v; want %d", prio, err, prioControl)
		}
	})
}
