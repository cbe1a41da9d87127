package netns_test

import (
	"context"
	"os"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"baton/netns"
	"baton/scenarios/lab"
)

func TestMain(m *testing.M) {
	// The suite's binary also acts as the programs that run in the namespaces.
	if program, ok := os.LookupEnv(programEnv); ok {
		os.Exit(runProgram(program))
	}
	os.Exit(m.Run())
}

func TestNetns(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("namespaces need root: ", netns.Probe())
	}
	RegisterFailHandler(Fail)
	suite, reporter := GinkgoConfiguration()
	suite.Timeout = 2 * time.Minute
	RunSpecs(t, "netns", suite, reporter)
}

var _ = BeforeSuite(func() {
	Expect(netns.Probe()).To(Succeed(), "root, but this machine cannot run pairs")
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(2 * time.Millisecond)
})

// patience bounds every wait for something that must happen; only a failing spec reaches
// it.
const patience = 10 * time.Second

// within returns a context that ends after patience.
func within() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	DeferCleanup(cancel)
	return ctx
}

// newPair builds a pair that must be gone without a leak when the spec ends.
func newPair() *netns.Pair { return newPairOf(lab.Topo{Clients: 2, Backends: 2}) }

func newPairOf(topo lab.Topo) *netns.Pair {
	GinkgoHelper()
	pair, err := netns.NewPair(topo)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(pair.Close(context.Background())).To(BeEmpty()) })
	return pair
}
