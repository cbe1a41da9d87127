package daemon

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
)

// BenchmarkChecks measures what eleven checks every 50 ms cost, half of them over TLS, of backends that answer
// with as much as they can. node-cpu-% is the processor time of the node's process, which has real-time
// priority, in percent of a core; checks-cpu-% is that of its check process. One iteration is six seconds.
func BenchmarkChecks(b *testing.B) {
	kinds := []config.CheckType{config.CheckHTTPS, config.CheckHTTPS, config.CheckHTTPS, config.CheckHTTPS, config.CheckGRPCS, config.CheckGRPCS,
		config.CheckHTTP, config.CheckHTTP, config.CheckTCP, config.CheckICMP, config.CheckPort}
	b.Run("none", func(b *testing.B) { measureChecks(b, slices.Repeat([]config.CheckType{config.CheckNone}, len(kinds))) })
	b.Run("hostile", func(b *testing.B) { measureChecks(b, kinds) })
}

func measureChecks(b *testing.B, kinds []config.CheckType) {
	const lasts = 5 * time.Second
	p := newPair(b)
	master, other := p.nodes[0], p.nodes[1]
	secure, plain := newHostileBackends(b, other)
	check := config.Check{Interval: config.Duration(50 * time.Millisecond), Timeout: config.Duration(25 * time.Millisecond), Rise: 2, Fall: 3,
		Path: "/", Status: config.Statuses{First: 200, Last: 399}, Body: "never said", AllDown: config.AllDownSilent}
	service := master.Services[0]
	master.Services = nil
	for i, kind := range kinds {
		s := service
		s.Name, s.Port, s.Check = "web"+strconv.Itoa(i), config.Ports{First: uint16(80 + i)}, check
		s.Check.Type, s.Backends = kind, []netip.AddrPort{plain}
		if strings.HasSuffix(string(kind), "s") {
			s.Backends = []netip.AddrPort{secure}
		}
		master.Services = append(master.Services, s)
	}
	master.writeConfig(b)
	p.start(b)
	probes := func() (n uint64) {
		for _, s := range master.waitStatus(b, "answering", func(control.Status) bool { return true }).Services {
			n += s.Backends[0].Probes
		}
		return n
	}
	for b.Loop() {
		time.Sleep(time.Second)
		node, children, began, count := processorTime(b, master.cmd.Process.Pid), childrenTime(b, master.cmd.Process.Pid), time.Now(), probes()
		time.Sleep(lasts)
		took := time.Since(began)
		b.ReportMetric(100*float64(processorTime(b, master.cmd.Process.Pid)-node)/float64(took), "node-cpu-%")
		b.ReportMetric(100*float64(childrenTime(b, master.cmd.Process.Pid)-children)/float64(took), "checks-cpu-%")
		b.ReportMetric(float64(probes()-count)/took.Seconds(), "probes/s")
	}
	reportPunctuality(b, p.nodes[0], p.nodes[1])
	p.kill(b)
}

// newHostileBackends starts web servers at the node's host with an endless answer, one over TLS, and returns their
// addresses.
func newHostileBackends(b *testing.B, n *testNode) (secure, plain netip.AddrPort) {
	b.Helper()
	address, err := netlink.ParseAddr("198.18.1.11/24")
	if err != nil {
		b.Fatal(err)
	}
	noise := []byte(strings.Repeat("never sai", 1000))
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(noise); err != nil {
				return
			}
		}
	})
	n.in(b, func() error {
		link, err := netlink.LinkByName("backend0")
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(link, address); err != nil {
			return err
		}
		for i, at := range []*netip.AddrPort{&secure, &plain} {
			listener, err := net.Listen("tcp", "198.18.1.11:0")
			if err != nil {
				return err
			}
			*at = listener.Addr().(*net.TCPAddr).AddrPort()
			server := httptest.NewUnstartedServer(handler)
			server.Listener.Close()
			server.Listener, server.EnableHTTP2, server.Config.ErrorLog = listener, true, log.New(io.Discard, "", 0)
			if i == 0 {
				server.TLS = &tls.Config{}
				server.StartTLS()
			} else {
				server.Start()
			}
			b.Cleanup(server.CloseClientConnections)
		}
		return nil
	})
	return secure, plain
}

// processorTime returns the processor time that a process has used.
func processorTime(b testing.TB, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:])) // from the 3rd on
	const tick = 10 * time.Millisecond
	used := time.Duration(0)
	for _, field := range fields[11:13] {
		ticks, err := strconv.Atoi(field)
		if err != nil {
			b.Fatal(err)
		}
		used += time.Duration(ticks) * tick
	}
	return used
}

// childrenTime returns the processor time that the children of a process have used.
func childrenTime(b testing.TB, pid int) (used time.Duration) {
	b.Helper()
	for _, child := range childrenOf(b, pid) {
		used += processorTime(b, child)
	}
	return used
}

// childrenOf returns the child processes of a process.
func childrenOf(b testing.TB, pid int) (children []int) {
	b.Helper()
	tasks, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	if err != nil {
		b.Fatal(err)
	}
	for _, task := range tasks {
		list, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/task/" + task.Name() + "/children")
		for _, word := range strings.Fields(string(list)) {
			child, err := strconv.Atoi(word)
			if err != nil {
				b.Fatal(err)
			}
			children = append(children, child)
		}
	}
	return children
}
