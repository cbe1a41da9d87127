package netns_test

import (
	"runtime"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"baton/netns"
)

var _ = Describe("Probe", func() {
	It("says in one line each which capability is missing and what to do", func() {
		report := make(chan error)
		go func() {
			// Capabilities belong to a thread; this one is never unlocked, so it ends
			// with the goroutine.
			runtime.LockOSThread()
			header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var data [2]unix.CapUserData
			if err := unix.Capget(&header, &data[0]); err != nil {
				report <- err
				return
			}
			data[0].Effective &^= 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_NET_ADMIN
			if err := unix.Capset(&header, &data[0]); err != nil {
				report <- err
				return
			}
			report <- netns.Probe()
		}()
		Expect(<-report).To(MatchError(
			"CAP_SYS_ADMIN: missing, needed for making network namespaces: run as root (sudo)\n" +
				"CAP_NET_ADMIN: missing, needed for making links: run as root (sudo)"))
	})
})
