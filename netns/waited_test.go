package netns_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"baton/impl/clock"
	"baton/netns/internal/hostclock"
)

var _ = Describe("a process that is started beside others", func() {
	It("tells for how long it waited for a processor", func() {
		h := newPair().Host("lb1")
		var last time.Duration // what the last one waited
		told := make(chan time.Duration, 3)
		began := hostclock.Now()
		for range 3 {
			j := &journal{}
			cfg := play("compute", j)
			cfg.Ordinary = true // of the same priority, whatever the suite's is
			cfg.Started = func(_ clock.Instant, waited time.Duration) { told <- waited }
			_, err := h.Start(cfg)
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(func() { Eventually(j.notes).Should(ContainElement("computed")) })
		}
		for range 3 {
			Eventually(told, "60s").Should(Receive(&last))
		}
		// One processor computes for 600 ms, of which 200 are its own.
		Expect(last).To(BeNumerically(">", 200*time.Millisecond))
		Expect(last).To(BeNumerically("<", hostclock.Now().Sub(began)))
		Consistently(told, "50ms").ShouldNot(Receive())
	})
})
