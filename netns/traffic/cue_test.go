package traffic_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("a line with times of its own", func() {
	It("starts and stops at them, in order, while the others go on", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		late := sessionsLine(20, 20*time.Millisecond)
		late.Name, late.From = "late", time.Second
		g := start(ctx, n.config(r, probeLine(), late))
		passes(g, 0, 100)
		Expect(lineOf(g, 1)()).To(And(HaveField("Opened", 0), HaveField("Sent", BeZero())), "before its time")

		Expect(g.StartLine("late")).To(Succeed())
		passes(g, 1, 100)
		Expect(g.StopLine("late")).To(Succeed())
		Eventually(lineOf(g, 1)).Within(5 * time.Second).WithPolling(time.Millisecond).Should(HaveField("Sessions", 0))
		ended := lineOf(g, 1)()
		passes(g, 0, 100)
		Expect(lineOf(g, 1)().Sent).To(Equal(ended.Sent), "after its end")
		stop(ctx, g)

		total := r.final("late")
		Expect(total.Opened).To(Equal(20))
		Expect(total.Lost + total.Failed + total.Corrupt).To(BeZero())
		Expect(total.Received).To(Equal(total.Sent))
		Expect(total.Ended).To(BeNumerically(">", total.Began))
		Expect(r.traffic("late", "done")).To(HaveLen(20))
		Expect(r.final("probe").Ended).To(BeZero())
	}, NodeTimeout(60*time.Second))

	It("is over before its drain time when all traffic is broken off", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		g := start(ctx, n.config(r, sessionsLine(5, 20*time.Millisecond)))
		passes(g, 0, 20)
		silence(n.backends[0])
		passes(g, 0, 20)
		Expect(g.StopLine("web")).To(Succeed())
		began := time.Now()
		brief, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		g.Stop(brief)
		Expect(time.Since(began)).To(BeNumerically("<", 3*time.Second), "a line has 5 s by default")
		g.Close()
		Expect(r.final("web").Lost).To(Equal(5))
	}, NodeTimeout(60*time.Second))
})
