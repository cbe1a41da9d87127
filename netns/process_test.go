package netns_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"baton/impl/daemon/realtime"
	"baton/impl/trace"
	"baton/netns"
)

var _ = Describe("a process", func() {
	It("runs inside its host's namespace, in its own group, without input, and appends to its log", func() {
		h := newPair().Host("lb1")
		log := filepath.Join(GinkgoT().TempDir(), "lb1.log")
		Expect(os.WriteFile(log, []byte("before\n"), 0o644)).To(Succeed())
		cfg := play("mutter", &journal{})
		cfg.Log = log
		p, err := h.Start(cfg)
		Expect(err).NotTo(HaveOccurred())
		exit, err := p.Wait(within())
		Expect(err).NotTo(HaveOccurred())
		Expect(exit.String()).To(Equal("exit status 3"))
		Expect(os.ReadFile(log)).To(BeEquivalentTo("before\ninput 0 bytes <nil>, group own true\nto errors\n"))

		p = startTalker(h)
		Expect(os.Readlink(fmt.Sprintf("/proc/%d/ns/net", p.PID()))).To(Equal(fmt.Sprintf("net:[%d]", h.Inode())))
	})

	It("inherits the priority of the harness if it is not ordinary, and the harness ends with its last run", func() {
		policy := func(pid int) uint32 {
			attr, err := unix.SchedGetAttr(pid, 0)
			Expect(err).NotTo(HaveOccurred())
			return attr.Policy
		}
		first, err := realtime.Harness()
		if err != nil {
			Skip("the kernel gives no real-time priority: " + err.Error())
		}
		second, err := realtime.Harness()
		Expect(err).NotTo(HaveOccurred())
		h := newPair().Host("lb1")
		for ordinary, want := range map[bool]uint32{false: unix.SCHED_RR, true: unix.SCHED_NORMAL} {
			cfg := play("talk ", &journal{})
			cfg.Ordinary = ordinary
			p, err := h.Start(cfg)
			Expect(err).NotTo(HaveOccurred())
			Expect(policy(p.PID())).To(Equal(want))
		}
		first()
		Expect(policy(os.Getpid())).To(BeEquivalentTo(unix.SCHED_RR))
		second()
		Expect(policy(os.Getpid())).To(BeEquivalentTo(unix.SCHED_NORMAL))
	})

	It("delivers its trace in order, to the last event, and shows a line that is none", func() {
		j := &journal{}
		p, err := newPair().Host("lb1").Start(play("flood", j))
		Expect(err).NotTo(HaveOccurred())
		_, err = p.Wait(within())
		Expect(err).NotTo(HaveOccurred())
		events := j.all()
		Expect(events).To(HaveLen(floodEvents + 1))
		for i, e := range events[:floodEvents] {
			if int(e.At) != i || e.Node != "lb1" {
				Fail(fmt.Sprintf("event %d: %+v", i, e))
			}
		}
		Expect(events[floodEvents].Kind).To(Equal(trace.KindNote))
		Expect(events[floodEvents].Note).To(ContainSubstring(`"no event\n"`))
	})

	It("is not held up by a slow receiver of its trace", func() {
		release := make(chan struct{})
		var once sync.Once
		DeferCleanup(func() { once.Do(func() { close(release) }) })
		cfg := play("flood", &journal{})
		cfg.Trace = func(trace.Event) { <-release }
		p, err := newPair().Host("lb1").Start(cfg)
		Expect(err).NotTo(HaveOccurred())
		By("writing more than the pipe holds and ending, while nobody takes an event")
		Eventually(func() error { return unix.Kill(p.PID(), 0) }).Should(MatchError(unix.ESRCH))
		once.Do(func() { close(release) })
		Expect(p.Wait(within())).To(HaveField("Code", 0))
	})

	It("reports a death that nobody asked for, and no other", func() {
		pair := newPair()
		deaths := make(chan netns.Exit, 3)
		start := func() *netns.Process {
			j := &journal{}
			cfg := play("talk", j)
			cfg.Died = func(p *netns.Process, e netns.Exit) { deaths <- e }
			p, err := pair.Host("lb1").Start(cfg)
			Expect(err).NotTo(HaveOccurred())
			Eventually(j.notes).Should(ContainElement("ready"))
			return p
		}
		asked := start()
		Expect(asked.Kill(within())).To(HaveField("Signal", unix.SIGKILL))
		stopped := start()
		Expect(stopped.Signal(unix.SIGTERM)).To(Succeed())
		Expect(stopped.Wait(within())).To(HaveField("Code", 0))
		unasked := start()
		Expect(unasked.Signal(unix.SIGABRT)).To(Succeed())
		var death netns.Exit
		Eventually(deaths).Should(Receive(&death))
		Expect(death.Code).To(Equal(2), "how a Go program ends on SIGABRT")
		Expect(deaths).NotTo(Receive())
		Expect(pair.Host("lb1").Processes()).To(BeEmpty())
	})

	DescribeTable("takes along what it left in its group", func(then string, end func(*netns.Process)) {
		log := filepath.Join(GinkgoT().TempDir(), "log")
		p, err := newPair().Host("lb1").Start(netns.ProcessConfig{
			Args: []string{"sh", "-c", "sleep 1000 & echo $!; " + then}, Log: log})
		Expect(err).NotTo(HaveOccurred())
		var child int
		Eventually(func() error {
			text, err := os.ReadFile(log)
			if err == nil {
				_, err = fmt.Sscan(string(text), &child)
			}
			return err
		}).Should(Succeed())
		end(p)
		Eventually(p.Done()).Should(BeClosed())
		Eventually(func() bool { return running(child) }).Should(BeFalse())
	},
		Entry("when it is killed", "exec sleep 1000", func(p *netns.Process) { p.Kill(within()) }),
		Entry("when it ends", "exit 0", func(*netns.Process) {}),
	)

	It("outlives the harness's threads, and so is not killed when one ends", func() {
		h := newPair().Host("lb1")
		var processes []*netns.Process
		for range 8 {
			p, err := h.Start(netns.ProcessConfig{Args: []string{"sleep", "1000"}})
			Expect(err).NotTo(HaveOccurred())
			processes = append(processes, p)
		}
		for range 4 {
			var started, ended sync.WaitGroup
			for range 30 {
				started.Add(1)
				ended.Go(func() {
					runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
					started.Done()
					started.Wait()
				})
			}
			ended.Wait()
		}
		Consistently(h.Processes, "50ms").Should(ConsistOf(processes))
	})

	It("has the given variables in its environment, once, in place of the harness's own", func() {
		GinkgoT().Setenv("BATON_NETNS_TEST_VARIABLE", "own")
		log := filepath.Join(GinkgoT().TempDir(), "log")
		p, err := newPair().Host("lb1").Start(netns.ProcessConfig{Args: []string{"env"}, Log: log,
			Env: []string{"BATON_NETNS_TEST_VARIABLE=given"}})
		Expect(err).NotTo(HaveOccurred())
		_, err = p.Wait(within())
		Expect(err).NotTo(HaveOccurred())
		text, err := os.ReadFile(log)
		Expect(err).NotTo(HaveOccurred())
		lines := strings.Split(string(text), "\n")
		Expect(lines).To(ContainElement("BATON_NETNS_TEST_VARIABLE=given"))
		Expect(lines).NotTo(ContainElement("BATON_NETNS_TEST_VARIABLE=own"))
		Expect(lines).To(ContainElement(HavePrefix("PATH=")))
	})

	It("says what could not be started", func() {
		h := newPair().Host("lb1")
		_, err := h.Start(netns.ProcessConfig{Args: []string{"/no/such/program"}})
		Expect(err).To(MatchError(os.ErrNotExist))
		_, err = h.Start(netns.ProcessConfig{Args: []string{os.Args[0]}, Log: "/no/such/directory/log"})
		Expect(err).To(MatchError(ContainSubstring("/no/such/directory/log")))
		_, err = h.Start(netns.ProcessConfig{})
		Expect(err).To(MatchError(ContainSubstring("no command line")))
	})
})

// running reports whether a process exists and is not a zombie.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	return fields[0] != "Z" && fields[0] != "X"
}
