package netns_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"baton/netns"
	"baton/scenarios/lab"
)

// holders lists everything in /proc that holds one of the namespaces: threads of any
// process, descriptors and mounts. It deliberately shares no code with the code under test.
func holders(inodes []uint64) (found []string) {
	wanted := map[string]bool{}
	for _, inode := range inodes {
		wanted[fmt.Sprintf("net:[%d]", inode)] = true
	}
	for _, pattern := range []string{"/proc/[0-9]*/task/*/ns/net", "/proc/[0-9]*/fd/*"} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			if text, err := os.Readlink(path); err == nil && wanted[text] {
				found = append(found, path)
			}
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for _, field := range strings.Fields(string(mounts)) {
		if wanted[field] {
			found = append(found, "mount "+field)
		}
	}
	return found
}

// still returns the holders that still hold one of the namespaces. Others may hold new
// namespaces with the same numbers.
func still(held []string, inodes []uint64) []string {
	return slices.DeleteFunc(holders(inodes), func(path string) bool { return !slices.Contains(held, path) })
}

func inodes(pair *netns.Pair) (list []uint64) {
	for _, h := range pair.Hosts() {
		list = append(list, h.Inode())
	}
	return list
}

// aWhile is just enough for the kernel to release what nobody holds.
func aWhile() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	DeferCleanup(cancel)
	return ctx
}

func linkNames() (names []string) {
	GinkgoHelper()
	links, err := netlink.LinkList()
	Expect(err).NotTo(HaveOccurred())
	for _, link := range links {
		names = append(names, link.Attrs().Name)
	}
	return names
}

var _ = Describe("what stays behind", func() {
	It("is nothing, whatever ran and however it was left", func() {
		before := linkNames()
		pair, err := netns.NewPair(lab.Topo{Clients: 1, Backends: 1})
		Expect(err).NotTo(HaveOccurred())
		Expect(linkNames()).To(Equal(before), "the initial namespace is left alone")
		lb1, lb2 := pair.Host("lb1"), pair.Host("lb2")
		startTalker(lb2)
		node := startTalker(lb1, "198.18.2.2:9000", "tcp:198.18.2.2:9000")
		frozen := startTalker(pair.Host("client1"))
		dead := startTalker(pair.Host("backend1"))
		_, err = pair.Cut(within(), lab.Selector{From: "lb1", To: "lb2", Via: lab.Sync})
		Expect(err).NotTo(HaveOccurred())
		Expect(pair.Freeze(within(), frozen)).NotTo(BeEmpty())
		Expect(pair.Kill(within(), dead)).NotTo(BeEmpty())
		By("a connection whose FIN nobody will acknowledge")
		Expect(pair.Kill(within(), node)).NotTo(BeEmpty())
		Expect(tcpSockets(lb1)).To(BeNumerically(">", 0))

		all := inodes(pair)
		held := holders(all)
		Expect(held).NotTo(BeEmpty())
		Expect(pair.Close(context.Background())).To(BeEmpty())
		Expect(still(held, all)).To(BeEmpty())
		Expect(running(frozen.PID())).To(BeFalse())
		Expect(linkNames()).To(Equal(before))
		Expect(pair.Close(context.Background())).To(BeEmpty(), "closing twice")
	})

	It("is reported: a socket that was not closed, and who has it", func() {
		pair, err := netns.NewPair(lab.Topo{Clients: 1, Backends: 1})
		Expect(err).NotTo(HaveOccurred())
		var conn *net.UDPConn
		Expect(pair.Host("client1").Do(func() (err error) {
			conn, err = net.ListenUDP("udp4", nil)
			return err
		})).To(Succeed())
		leaks := pair.Close(aWhile())
		Expect(leaks).To(ConsistOf(HaveField("What", MatchRegexp(
			`^namespace net:\[\d+\] of client1 still exists, held by socket \d+ of this process$`))))
		Expect(conn.Close()).To(Succeed())
		Expect(pair.Close(context.Background())).To(BeEmpty())
	})

	It("is reported: a thread that stayed inside", func() {
		pair, err := netns.NewPair(lab.Topo{Clients: 1, Backends: 1})
		Expect(err).NotTo(HaveOccurred())
		leave, inside, left := make(chan struct{}), make(chan struct{}), make(chan error)
		go func() {
			left <- pair.Host("backends").Do(func() error {
				close(inside)
				<-leave
				if links, err := net.Interfaces(); err != nil || len(links) != 1 {
					return fmt.Errorf("links besides loopback: %v, %v", links, err)
				}
				return nil
			})
		}()
		<-inside
		leaks := pair.Close(aWhile())
		Expect(leaks).To(ConsistOf(HaveField("What", MatchRegexp(
			`of backends still exists, held by /proc/%d/task/\d+/ns/net$`, os.Getpid()))))
		close(leave)
		Expect(<-left).To(Succeed(), "the links are gone, though the namespace was held")
		Expect(pair.Close(context.Background())).To(BeEmpty())
	})

	It("is reported: a program of somebody else's that stayed in a host, and what ends it", func() {
		pair, err := netns.NewPair(lab.Topo{Clients: 1, Backends: 1})
		Expect(err).NotTo(HaveOccurred())
		stays := exec.Command("sleep", "1000")
		Expect(pair.Host("client1").Do(stays.Start)).To(Succeed())
		DeferCleanup(func() { stays.Process.Kill(); stays.Wait() })
		Expect(pair.Close(aWhile())).To(ConsistOf(HaveField("What", MatchRegexp(
			`of client1 still exists, held by process %d \(sleep 1000\); .kill %[1]d. ends it$`, stays.Process.Pid))))
		Expect(stays.Process.Kill()).To(Succeed())
		_ = stays.Wait()
		Expect(pair.Close(context.Background())).To(BeEmpty())
	})

	It("is reported: a program that outlived its process", func() {
		pair, err := netns.NewPair(lab.Topo{Clients: 1, Backends: 1})
		Expect(err).NotTo(HaveOccurred())
		j := &journal{}
		_, err = pair.Host("lb1").Start(play("load", j))
		Expect(err).NotTo(HaveOccurred())
		Eventually(j.notes).Should(HaveLen(1))
		id, err := strconv.Atoi(j.notes()[0])
		Expect(err).NotTo(HaveOccurred())
		program, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
		Expect(err).NotTo(HaveOccurred())
		Expect(pair.Close(aWhile())).To(ConsistOf(
			HaveField("What", fmt.Sprintf("BPF program %d of lb1 is still loaded", id))))
		Expect(program.Close()).To(Succeed())
		Expect(pair.Close(context.Background())).To(BeEmpty())
	})

	It("is nothing after the harness was killed, not even a stopped child", func() {
		// Orphans of the harness come to this process, which can then reap them.
		Expect(unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)).To(Succeed())
		DeferCleanup(unix.Prctl, unix.PR_SET_CHILD_SUBREAPER, uintptr(0), uintptr(0), uintptr(0), uintptr(0))
		harness := exec.Command(os.Args[0])
		harness.Env = append(os.Environ(), programEnv+"=harness")
		harness.Stderr = GinkgoWriter
		input, err := harness.StdinPipe()
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { input.Close() })
		out, err := harness.StdoutPipe()
		Expect(err).NotTo(HaveOccurred())
		Expect(harness.Start()).To(Succeed())
		DeferCleanup(func() { harness.Process.Kill(); harness.Wait() })
		told := make(chan remains, 1)
		go func() {
			var r remains
			if json.NewDecoder(out).Decode(&r) == nil {
				told <- r
			}
		}()
		var left remains
		Eventually(told).Should(Receive(&left))
		Expect(left.PIDs).To(HaveLen(2))
		for _, pid := range left.PIDs {
			Expect(running(pid)).To(BeTrue())
		}
		held := holders(left.Inodes)
		Expect(len(held)).To(BeNumerically(">", len(left.Inodes)))

		Expect(harness.Process.Kill()).To(Succeed())
		for _, pid := range left.PIDs {
			var status unix.WaitStatus
			Eventually(func() (int, error) { return unix.Wait4(pid, &status, unix.WNOHANG, nil) }).Should(Equal(pid))
			Expect(status.Signal()).To(Equal(unix.SIGKILL))
		}
		Eventually(func() []string { return still(held, left.Inodes) }).Should(BeEmpty())
	})
})

var _ = Describe("a shape that cannot be built", func() {
	It("leaves nothing either", func() {
		var limit unix.Rlimit
		Expect(unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)).To(Succeed())
		entries, err := os.ReadDir("/proc/self/fd")
		Expect(err).NotTo(HaveOccurred())
		By("running out of descriptors half way")
		tight := limit
		tight.Cur = uint64(len(entries) + 12)
		Expect(unix.Setrlimit(unix.RLIMIT_NOFILE, &tight)).To(Succeed())
		pair, err := netns.NewPair(lab.Topo{Clients: 4, Backends: 4})
		Expect(unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)).To(Succeed())
		Expect(err).To(MatchError(ContainSubstring(unix.EMFILE.Error())))
		Expect(pair).To(BeNil())
		after, err := os.ReadDir("/proc/self/fd")
		Expect(err).NotTo(HaveOccurred())
		Expect(len(after)).To(BeNumerically("<=", len(entries)))
	})
})
