package peers_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"baton/netns"
	"baton/netns/internal/testlab"
	"baton/netns/peers"
)

func TestPeers(t *testing.T) {
	for _, err := range []error{peers.MissingFRR(), peers.MissingBIRD()} {
		if err != nil {
			t.Skip(err)
		}
	}
	testlab.Run(t, "FRR and BIRD")
}

const patience = 30 * time.Second

const frrConfig = `
bfd
 peer 198.18.9.2 interface a0
  receive-interval 50
  transmit-interval 50
 !
 peer 2001:2:0:9::2 local-address 2001:2:0:9::1 interface a0
  receive-interval 100
  transmit-interval 100
 !
!
`

const birdConfig = `
protocol bfd {
  interface "b0" { min rx interval 50 ms; min tx interval 50 ms; multiplier 5; };
  neighbor 198.18.9.1 dev "b0" local 198.18.9.2;
  neighbor 2001:2:0:9::1 dev "b0" local 2001:2:0:9::2;
}
`

// cable joins two new hosts by a0 and b0, both families.
func cable() (a, b *netns.Host) {
	GinkgoHelper()
	host := func(name string) *netns.Host {
		h, err := netns.NewHost(name)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(h.Close(context.Background())).To(Succeed()) })
		return h
	}
	prefixes := func(texts ...string) (out []netip.Prefix) {
		for _, text := range texts {
			out = append(out, netip.MustParsePrefix(text))
		}
		return out
	}
	a, b = host("a"), host("b")
	Expect(netns.Cable(
		netns.End{Host: a, Name: "a0", Addrs: prefixes("198.18.9.1/24", "2001:2:0:9::1/64")},
		netns.End{Host: b, Name: "b0", Addrs: prefixes("198.18.9.2/24", "2001:2:0:9::2/64")},
	)).To(Succeed())
	return a, b
}

var _ = Describe("FRR and BIRD", func() {
	var (
		ctx  context.Context
		frr  *peers.FRR
		bird *peers.BIRD
	)
	states := func() map[string]string {
		GinkgoHelper()
		seen := map[string]string{}
		fs, err := frr.Sessions(ctx)
		Expect(err).NotTo(HaveOccurred())
		for _, s := range fs {
			seen["frr "+s.Peer] = s.Status
		}
		bs, err := bird.Sessions(ctx)
		Expect(err).NotTo(HaveOccurred())
		for _, s := range bs {
			seen["bird "+s.Peer] = s.State
		}
		return seen
	}
	// toward returns FRR's session with the peer of an address.
	toward := func(peer string) (peers.FRRSession, error) {
		sessions, err := frr.Sessions(ctx)
		i := slices.IndexFunc(sessions, func(s peers.FRRSession) bool { return s.Peer == peer })
		if i < 0 {
			return peers.FRRSession{}, fmt.Errorf("no session with %s: %v", peer, err)
		}
		return sessions[i], err
	}
	up := map[string]string{"frr 198.18.9.2": "up", "frr 2001:2:0:9::2": "up", "bird 198.18.9.1": "Up", "bird 2001:2:0:9::1": "Up"}

	BeforeEach(func() {
		var cancel func()
		ctx, cancel = context.WithTimeout(context.Background(), 2*patience)
		DeferCleanup(cancel)
		a, b := cable()
		var err error
		frr, err = peers.StartFRR(ctx, a, frrConfig)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(frr.Close(context.Background())).To(Succeed()) })
		bird, err = peers.StartBIRD(ctx, b, birdConfig)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(bird.Close(context.Background())).To(Succeed()) })
		Eventually(states).Within(patience).Should(Equal(up))
	})

	It("tell their sessions alike, and change while they run", func() {
		By("negotiated intervals as both report them")
		Eventually(func() []time.Duration {
			sessions, err := bird.Sessions(ctx)
			Expect(err).NotTo(HaveOccurred())
			return []time.Duration{sessions[0].Interval, sessions[0].Timeout, sessions[1].Interval, sessions[1].Timeout}
		}).Within(patience).Should(Equal([]time.Duration{
			50 * time.Millisecond, 150 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond}))
		session, err := toward("198.18.9.2")
		Expect(err).NotTo(HaveOccurred())
		Expect(session.RemoteDetectMultiplier).To(Equal(5))
		Expect(session.RemoteID).NotTo(BeZero())

		By("an interval that FRR raises")
		Expect(frr.Configure(ctx, "bfd", "peer 198.18.9.2 interface a0", "receive-interval 200")).To(Succeed())
		Eventually(func() (time.Duration, error) {
			sessions, err := bird.Sessions(ctx)
			return sessions[0].Interval, err
		}).Within(patience).Should(Equal(200 * time.Millisecond))

		By("a session that FRR takes down")
		Expect(frr.Configure(ctx, "bfd", "peer 2001:2:0:9::2 local-address 2001:2:0:9::1 interface a0", "shutdown")).To(Succeed())
		Eventually(states).Within(patience).Should(And(
			HaveKeyWithValue("frr 2001:2:0:9::2", "shutdown"), HaveKeyWithValue("bird 2001:2:0:9::1", "Down"), HaveKeyWithValue("bird 198.18.9.1", "Up")))

		By("an interval that BIRD raises")
		Expect(bird.Configure(ctx, `protocol bfd { interface "b0" { min tx interval 400 ms; min rx interval 50 ms; };
			neighbor 198.18.9.1 dev "b0" local 198.18.9.2; }`)).To(Succeed())
		Eventually(func() (int, error) {
			session, err := toward("198.18.9.2")
			return session.RemoteTransmitInterval, err
		}).Within(patience).Should(Equal(400))

		By("mistakes that both name")
		Expect(frr.Configure(ctx, "bfd", "peer nobody")).To(MatchError(ContainSubstring("peers: ")))
		Expect(bird.Configure(ctx, "protocol bfd { nonsense; }")).To(MatchError(ContainSubstring("syntax error")))

		By("what FRR has counted: no session comes up by fewer than two packets")
		counters, err := frr.Counters(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(counters).To(HaveLen(2))
		for _, c := range counters {
			Expect(c.SessionUp).To(BeNumerically(">=", 1))
			Expect(c.ControlInput).To(BeNumerically(">=", 2))
			Expect(c.ControlOutput).To(BeNumerically(">=", 2))
		}
	})

	It("see each other die", func() {
		Expect(bird.Kill(ctx)).To(Succeed())
		Eventually(func() (string, error) {
			session, err := toward("198.18.9.2")
			return session.Status + ", " + session.Diagnostic, err
		}).Within(patience).Should(Equal("down, control detection time expired"))
	})

	It("leave nothing", func() {
		Expect(frr.Close(ctx)).To(Succeed())
		Expect(frr.Log()).NotTo(BeAnExistingFile())
		Expect(frr.Process().Done()).To(BeClosed())
	})
})

var _ = Describe("A daemon that cannot start", func() {
	It("is told with its own words", func() {
		GinkgoT().Setenv("TMPDIR", GinkgoT().TempDir())
		a, _ := cable()
		_, err := peers.StartBIRD(context.Background(), a, "nonsense")
		Expect(err).To(MatchError(And(ContainSubstring("peers: start BIRD"), ContainSubstring("syntax error"))))
		left, err := os.ReadDir(os.TempDir())
		Expect(err).NotTo(HaveOccurred())
		Expect(left).To(BeEmpty())
	})
})
