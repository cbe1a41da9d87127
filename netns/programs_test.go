package netns_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/trace"
	"baton/netns"
	"baton/netns/internal/hostclock"
	"baton/scenarios/lab"
)

// programEnv names the program that the test binary runs as.
const programEnv = "BATON_NETNS_TEST_PROGRAM"

// talkPort is where talkers listen, on UDP and TCP.
const talkPort = 9000

// runProgram runs a program by name, with arguments.
func runProgram(line string) int {
	fields := strings.Fields(line)
	programs := map[string]func(args []string) error{
		"talk": talk, "flood": flood, "watch": watch, "harness": harness, "mutter": mutter, "deaf": deaf, "load": load, "compute": compute}
	if err := programs[fields[0]](fields[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// emitter writes events to the trace descriptor.
func emitter() func(trace.Event) {
	out := json.NewEncoder(os.NewFile(3, "trace"))
	var mu sync.Mutex
	return func(e trace.Event) {
		mu.Lock()
		defer mu.Unlock()
		_ = out.Encode(e)
	}
}

func note(text string) trace.Event {
	return trace.Event{At: hostclock.Now(), Kind: trace.KindNote, Note: text}
}

// compute computes for 200 ms of processor time on the first processor, emits an event, and stays.
func compute([]string) error {
	runtime.LockOSThread()
	if err := unix.SchedSetaffinity(0, &unix.CPUSet{1}); err != nil {
		return err
	}
	for {
		var spent unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &spent); err != nil {
			return err
		}
		if spent.Nano() > int64(200*time.Millisecond) {
			emitter()(note("computed"))
			time.Sleep(time.Minute)
			return nil
		}
	}
}

// talk acts as a node: it sends a datagram to each given address every few milliseconds,
// echoes what it receives, accepts TCP connections, and keeps one open to each address
// given as tcp:ADDRESS. On SIGTERM it exits with status 0.
func talk(peers []string) error {
	emit := emitter()
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{Port: talkPort})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp4", fmt.Sprintf(":%d", talkPort))
	if err != nil {
		return err
	}
	go func() {
		for {
			if c, err := listener.Accept(); err == nil {
				go io.Copy(c, c)
			}
		}
	}()
	go func() {
		buf := make([]byte, 1500)
		for {
			if n, from, err := conn.ReadFromUDP(buf); err == nil && string(buf[:n]) != "tick" {
				conn.WriteToUDP(buf[:n], from)
			}
		}
	}()
	for _, peer := range peers {
		if address, ok := strings.CutPrefix(peer, "tcp:"); ok {
			c, err := net.Dial("tcp4", address)
			if err != nil {
				return err
			}
			// The echo is read, because closing a socket with unread data resets the
			// connection.
			go io.Copy(io.Discard, c)
			c.Write([]byte("hello"))
		}
	}
	fmt.Println("talking")
	emit(note("ready"))
	tick := time.NewTicker(5 * time.Millisecond)
	for {
		select {
		case <-tick.C:
			for _, peer := range peers {
				if to, err := net.ResolveUDPAddr("udp4", peer); err == nil {
					conn.WriteToUDP([]byte("tick"), to)
				}
			}
		case <-terminated:
			emit(note("terminated"))
			return nil
		}
	}
}

// floodEvents exceeds the capacity of the trace pipe and the reader's buffer.
const floodEvents = 40000

// flood writes many events as fast as it can, and an invalid line.
func flood([]string) error {
	out := bufio.NewWriter(os.NewFile(3, "trace"))
	enc := json.NewEncoder(out)
	for i := range floodEvents {
		if err := enc.Encode(trace.Event{At: clock.Instant(i), Kind: trace.KindNote, Note: "flood"}); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, "no event")
	return out.Flush()
}

// mutter prints on both outputs what it was started with, and exits with status 3.
func mutter([]string) error {
	input, err := io.ReadAll(os.Stdin)
	fmt.Printf("input %d bytes %v, group own %v\n", len(input), err, syscall.Getpgrp() == os.Getpid())
	fmt.Fprintln(os.Stderr, "to errors")
	os.Exit(3)
	return nil
}

// deaf ignores SIGTERM.
func deaf([]string) error {
	signal.Ignore(syscall.SIGTERM)
	emitter()(note("ready"))
	select {}
}

// load holds a BPF program and prints its id.
func load([]string) error {
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, License: "Apache-2.0",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}})
	if err != nil {
		return err
	}
	info, err := program.Info()
	if err != nil {
		return err
	}
	id, _ := info.ID()
	emitter()(note(fmt.Sprint(id)))
	select {}
}

// watch runs a watchdog and reports its stalls.
func watch([]string) error {
	emit := emitter()
	netns.StartWatchdog(watchThreshold, func(at clock.Instant, s trace.Stall) {
		emit(trace.Event{At: at, Kind: trace.KindStall, Stall: &s})
	})
	emit(note("ready"))
	select {}
}

// remains is what a harness prints about itself before it is killed.
type remains struct {
	Inodes []uint64
	PIDs   []int
}

// harness builds a pair with two talkers, one of them stopped, prints its remains, and
// waits to be killed. It ends when its input ends, so that it does not outlive the test.
func harness([]string) error {
	pair, err := netns.NewPair(lab.Topo{Clients: 1, Backends: 1})
	if err != nil {
		return err
	}
	var r remains
	for _, h := range pair.Hosts() {
		r.Inodes = append(r.Inodes, h.Inode())
	}
	for _, name := range []string{"lb1", "lb2"} {
		ready := make(chan bool, 10)
		p, err := pair.Host(name).Start(netns.ProcessConfig{
			Args: []string{os.Args[0]}, Env: []string{programEnv + "=talk"},
			Trace: func(trace.Event) { ready <- true }})
		if err != nil {
			return err
		}
		select {
		case <-ready:
		case <-time.After(patience):
			return fmt.Errorf("the talker in %s says nothing", name)
		}
		if name == "lb2" {
			if _, err := p.Freeze(context.Background()); err != nil {
				return err
			}
		}
		r.PIDs = append(r.PIDs, p.PID())
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// journal collects the events of a process.
type journal struct {
	mu     sync.Mutex
	events []trace.Event
}

func (j *journal) add(e trace.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
}

func (j *journal) all() []trace.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]trace.Event(nil), j.events...)
}

func (j *journal) notes() []string {
	var notes []string
	for _, e := range j.all() {
		notes = append(notes, e.Note)
	}
	return notes
}

// play returns the configuration of a process that runs a program of the test binary.
func play(program string, j *journal) netns.ProcessConfig {
	return netns.ProcessConfig{Args: []string{os.Args[0]}, Env: []string{programEnv + "=" + program}, Trace: j.add}
}

// startTalker starts a talker and waits until it talks.
func startTalker(h *netns.Host, peers ...string) *netns.Process {
	GinkgoHelper()
	return startReady(h, "talk "+strings.Join(peers, " "))
}

// startReady starts a program and waits until it says that it is ready.
func startReady(h *netns.Host, program string) *netns.Process {
	GinkgoHelper()
	j := &journal{}
	p, err := h.Start(play(program, j))
	Expect(err).NotTo(HaveOccurred())
	Eventually(j.notes).Should(ContainElement("ready"))
	return p
}
