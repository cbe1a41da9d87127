package traffic_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("a backend", func() {
	It("that is frozen acknowledges and does not answer, and answers everything once it is thawed", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		g := start(ctx, n.config(r, sessionsLine(10, 20*time.Millisecond), probeLine()))
		passes(g, 0, 100)
		name := n.backends[0].Name()
		Expect(g.Freeze(name)).To(BeNumerically(">=", 12), "two that listen, ten connections")
		Eventually(func() uint64 {
			before := lineOf(g, 0)().Received
			passes(g, 0, 20)
			return lineOf(g, 0)().Received - before
		}).
			Should(BeZero(), "messages are sent and none is answered")
		Expect(g.Thaw(name)).To(BeNumerically(">=", 12))
		passes(g, 0, 100)
		stop(ctx, g)
		total := r.final("web")
		Expect(total.Received).To(Equal(total.Sent), "what was sent meanwhile is answered late")
		Expect(total.Lost).To(BeZero())
	}, SpecTimeout(time.Minute))

	It("that has ended resets what still comes, and serves anew once it is started", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		rsts := watch(n)
		g := start(ctx, n.config(r, sessionsLine(10, 20*time.Millisecond), connectsLine(50)))
		name := n.backends[0].Name()
		passes(g, 1, 20)
		Expect(g.Halt(name)).To(BeNumerically(">=", 12))
		Eventually(func() int { return lineOf(g, 0)().Lost }).Within(5 * time.Second).Should(Equal(10))
		Eventually(func() int { return lineOf(g, 1)().Failed }).Within(5 * time.Second).Should(BeNumerically(">", 5))
		Expect(g.Serve(name)).To(Equal(2))
		failed := lineOf(g, 1)().Failed
		passes(g, 1, 50)
		Expect(lineOf(g, 1)().Failed-failed).To(BeNumerically("<", 5), "those that were under way")
		stop(ctx, g)
		Expect(rsts()).NotTo(BeEmpty())
	}, SpecTimeout(time.Minute))

	It("that the generator does not have is refused", func(ctx SpecContext) {
		n, r := newNetwork(), &recording{}
		g := start(ctx, n.config(r, probeLine()))
		_, err := g.Freeze("backend9")
		Expect(err).To(MatchError(ContainSubstring(`no machine "backend9"`)))
		_, err = g.Serve("backend9")
		Expect(err).To(MatchError(ContainSubstring(`no machine "backend9"`)))
		stop(ctx, g)
	}, SpecTimeout(time.Minute))
})
