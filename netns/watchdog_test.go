package netns_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/netns"
	"baton/netns/internal/hostclock"
)

// watchThreshold is the watching program's stall threshold.
const watchThreshold = 50 * time.Millisecond

var _ = Describe("the watchdog", func() {
	It("reports the time for which its host stood still", func() {
		j := &journal{}
		p, err := newPair().Host("lb1").Start(play("watch", j))
		Expect(err).NotTo(HaveOccurred())
		Eventually(j.notes).Should(ContainElement("ready"))
		_, err = p.Freeze(within())
		Expect(err).NotTo(HaveOccurred())
		frozen := hostclock.Now()
		Eventually(hostclock.Now).Should(BeNumerically(">", frozen.Add(2*watchThreshold)))
		stood := hostclock.Now().Sub(frozen)
		_, err = p.Thaw(within())
		Expect(err).NotTo(HaveOccurred())
		stall := func() (longest time.Duration) {
			for _, e := range j.all() {
				if e.Kind == trace.KindStall {
					longest = max(longest, time.Duration(e.Stall.Took))
				}
			}
			return longest
		}
		// The sleep in progress ended up to a period after the freeze.
		Eventually(stall).Should(BeNumerically(">=", stood-10*time.Millisecond))
	})

	It("reports nothing after Stop", func() {
		reports := make(chan trace.Stall, 10000)
		w := netns.StartWatchdog(0, func(_ clock.Instant, s trace.Stall) { reports <- s })
		Eventually(reports).Should(Receive(HaveField("Took", BeNumerically(">", 0))))
		w.Stop()
		for len(reports) > 0 {
			<-reports
		}
		Consistently(reports, "30ms").ShouldNot(Receive())
	})
})
