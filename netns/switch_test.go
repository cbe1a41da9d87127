package netns_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"baton/scenarios/lab"
)

var _ = Describe("a switch that blinks", func() {
	It("takes the carrier of every port, and gives it back", func() {
		pair := newPair()
		client := pair.Host("client1")
		Expect(ping(client, "198.18.0.1")).To(Succeed())
		Expect(pair.SetLink(within(), lab.Clients, false)).To(Equal("carrier down on lb1/client0, lb2/client0, client1/eth0, client2/eth0"))
		Expect(unreachable(client, "198.18.0.1")).To(BeTrue())
		Expect(ping(pair.Host("backend1"), "198.18.1.1")).To(Succeed(), "on the other switch")
		Expect(pair.SetLink(within(), lab.Clients, true)).To(HavePrefix("carrier up on lb1/client0, "))
		Expect(ping(client, "198.18.0.1")).To(Succeed(), "without anybody's setting a route again")
		Expect(pair.SetLink(within(), lab.Sync, false)).To(ContainSubstring("carrier down on lb2/sync0"))
		Expect(pair.SetLink(within(), lab.Sync, true)).NotTo(BeEmpty())
	})
})
