package bfdbench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"baton/netns"
	"baton/scenarios/lab"
)

// hogsPerCore is the number of compute processes per core.
const hogsPerCore = 2

// flooders is the number of processes that send through the dataplane.
const flooders = 2

// load is a set of processes of ordinary priority that keep the machine busy.
type load struct{ processes []*netns.Process }

// startLoad starts processes that compute, and others that send datagrams to the service as
// fast as they can, which the backend reflects. program's work flag must call Work.
func startLoad(n *nodes, program string) (*load, error) {
	l := &load{}
	client, backend := n.world.Host("client1"), n.world.Host("backend1")
	start := func(host *netns.Host, work ...string) error {
		p, err := host.Start(netns.ProcessConfig{Args: append([]string{program, "-work"}, work...)})
		if err == nil {
			l.processes = append(l.processes, p)
		}
		return err
	}
	eth, _ := backend.Interface(lab.Backends)
	service := func(addr netip.Addr) string { return netip.AddrPortFrom(addr, servicePort).String() }
	err := start(backend, "reflect", service(eth.Addr.Addr()))
	for range flooders {
		err = errors.Join(err, start(client, "flood", service(netip.MustParseAddr(vip))))
	}
	for range hogsPerCore * runtime.NumCPU() {
		err = errors.Join(err, start(client, "compute"))
	}
	return l, err
}

func (l *load) stop(ctx context.Context) error { return kill(ctx, l.processes) }

func kill(ctx context.Context, processes []*netns.Process) error {
	var errs []error
	for _, p := range processes {
		_, err := p.Kill(ctx)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Work is the main function of a load process. It runs until it is killed.
func Work(words []string) error {
	if err := ordinary(os.Getpid(), 0); err != nil {
		return err
	}
	if len(words) == 1 && words[0] == "compute" {
		runtime.GOMAXPROCS(1)
		for n := 1; ; n |= 1 {
			if n == 0 {
				return nil
			}
		}
	}
	if len(words) == 3 && words[0] == Polls {
		from, err := netip.ParseAddr(words[2])
		if err != nil {
			return err
		}
		return polls(words[1], from)
	}
	if len(words) != 2 {
		return fmt.Errorf("bfdbench: no such work: %q", words)
	}
	addr, err := netip.ParseAddrPort(words[1])
	if err != nil {
		return err
	}
	if words[0] == "flood" {
		return flood(addr)
	}
	return reflect(addr)
}

// burst is the number of datagrams per system call.
const burst = 64

// flood sends small datagrams and reads nothing.
func flood(to netip.AddrPort) error {
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return err
	}
	defer conn.Close()
	batch := make([]ipv4.Message, burst)
	for i := range batch {
		batch[i].Buffers = [][]byte{make([]byte, 64)}
	}
	p := ipv4.NewPacketConn(conn)
	for {
		// Whatever cannot be sent now is lost.
		if _, err := p.WriteBatch(batch, 0); err != nil && !errors.Is(err, unix.ECONNREFUSED) && !errors.Is(err, unix.ENOBUFS) {
			return err
		}
	}
}

// reflect sends back what it receives.
func reflect(at netip.AddrPort) error {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return err
	}
	defer conn.Close()
	batch := make([]ipv4.Message, burst)
	for i := range batch {
		batch[i].Buffers = [][]byte{make([]byte, 2048)}
	}
	p := ipv4.NewPacketConn(conn)
	for {
		n, err := p.ReadBatch(batch, 0)
		if err != nil {
			return err
		}
		for i := range batch[:n] {
			answer := batch[i]
			answer.Buffers = [][]byte{answer.Buffers[0][:answer.N]}
			if _, err := p.WriteBatch([]ipv4.Message{answer}, 0); err != nil && !errors.Is(err, unix.ENOBUFS) {
				return err
			}
		}
	}
}

// ordinary takes the threads of a process out of real-time scheduling, which it inherits
// from the harness, and sets their niceness.
func ordinary(pid, nice int) error {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return fmt.Errorf("bfdbench: threads of process %d: %w", pid, err)
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			return fmt.Errorf("bfdbench: thread %q: %w", task.Name(), err)
		}
		attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Nice: int32(nice)}
		if err := unix.SchedSetAttr(tid, &attr, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("bfdbench: schedule thread %d of process %d with niceness %d: %w", tid, pid, nice, err)
		}
	}
	return nil
}
