package daemon

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"baton/impl/bfd"
	"baton/impl/clock/boottime"
	"baton/impl/daemon/control"
)

// forgerEnv makes this test binary a forger: "LINK FROM TO PACKETS".
const forgerEnv = "BATON_TEST_FORGER"

// forgeRate is a forger's packets per second, in bursts of a millisecond.
const forgeRate = 100_000

// forge floods a node with what an attacker can send who has seen a genuine packet of its
// peer but is not on the link, or is on the link without knowing the session: with a TTL
// lowered by routers, for other discriminators, truncated at every length, from another
// address, or random. It prints how many packets it sent and for how long.
func forge(arguments string) error {
	var link, from, to, what string
	var packets int
	if _, err := fmt.Sscan(arguments, &link, &from, &to, &packets, &what); err != nil {
		return err
	}
	f := forger{from: netip.MustParseAddr(from), to: netip.MustParseAddr(to), random: rand.New(rand.NewPCG(1, 2))}
	var err error
	if f.genuine, err = sniff(link, f.from, f.to); err != nil {
		return err
	}
	if f.fd, err = rawSocket(link); err != nil {
		return err
	}
	send := map[string]func(int) error{forgeAll: f.send, forgePolls: f.poll}[what]
	begin := boottime.Now()
	const burst = forgeRate / 1000
	for n := range packets {
		if n%burst == 0 {
			due := begin.Add(time.Duration(n/burst) * time.Millisecond)
			for now := boottime.Now(); now < due; now = boottime.Now() {
				time.Sleep(due.Sub(now))
			}
		}
		if err := send(n); err != nil {
			return fmt.Errorf("packet %d: %w", n, err)
		}
	}
	fmt.Println(int64(boottime.Now() - begin))
	return nil
}

// rawSocket returns a socket that sends IP headers as given.
func rawSocket(link string) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return -1, err
	}
	return fd, unix.BindToDevice(fd, link)
}

type forger struct {
	fd       int
	from, to netip.Addr
	genuine  []byte // a packet of the peer, right in every byte
	random   *rand.Rand
	buf      [512]byte
}

// The kinds of forged packets.
const (
	forgeAll   = "all"   // the kinds that every session discards
	forgePolls = "polls" // copies of the peer's packets with the Poll bit set
)

// poll sends a Poll that only authentication can distinguish from the peer's.
func (f *forger) poll(int) error {
	const poll, final = 1 << 5, 1 << 4
	payload := f.buf[28 : 28+len(f.genuine)]
	copy(payload, f.genuine)
	payload[1] = payload[1]&^final | poll
	return sendRaw(f.fd, f.buf[:28+len(payload)], f.from, f.to, bfd.FirstSourcePort, bfd.TransmitTTL)
}

// forgeries is how many kinds there are.
const forgeries = 5

func (f *forger) send(n int) error {
	payload, ttl, from := f.buf[28:28+len(f.genuine)], byte(255), f.from
	copy(payload, f.genuine)
	payload[1] = payload[1]&0x3f | byte(bfd.Down)<<6 | 1<<5 // Down, with a Poll: the most harmful packet
	switch n % forgeries {
	case 0:
		ttl = byte(1 + f.random.IntN(254))
	case 1:
		binary.BigEndian.PutUint32(payload[8:], binary.BigEndian.Uint32(payload[8:])^(1<<f.random.IntN(32)))
	case 2:
		payload = payload[:f.random.IntN(len(payload))]
	case 3:
		from = from.Prev().Prev() // of the same network, but not the peer
	case 4:
		payload = f.buf[28 : 28+f.random.IntN(65)]
		for i := range payload {
			payload[i] = byte(f.random.Uint32())
		}
	}
	return sendRaw(f.fd, f.buf[:28+len(payload)], from, f.to, bfd.FirstSourcePort, ttl)
}

// sendRaw sends a BFD packet whose payload begins at b[28], under any address.
func sendRaw(fd int, b []byte, from, to netip.Addr, port uint16, ttl byte) error {
	clear(b[:28])
	b[0], b[8], b[9] = 0x45, ttl, unix.IPPROTO_UDP // the kernel fills in length and checksum
	copy(b[12:], from.AsSlice())
	copy(b[16:], to.AsSlice())
	binary.BigEndian.PutUint16(b[20:], port)
	binary.BigEndian.PutUint16(b[22:], bfd.ControlPort)
	binary.BigEndian.PutUint16(b[24:], uint16(len(b)-20))
	err := unix.Sendto(fd, b, 0, &unix.SockaddrInet4{Addr: to.As4()})
	if errors.Is(err, unix.ENOBUFS) {
		return nil
	}
	return err
}

// sniff waits for a control packet between two addresses with Your Discriminator set.
func sniff(link string, from, to netip.Addr) ([]byte, error) {
	t, err := openTap(link)
	if err != nil {
		return nil, err
	}
	defer unix.Close(t.fd)
	for {
		if p, err := t.next(0); err != nil {
			return nil, err
		} else if p.from == from && p.to == to && p.yourDiscr != 0 {
			return p.payload, nil
		}
	}
}

// TestAFloodOfForgeries: a hundred thousand forged datagrams a second, to a node with
// sessions at 3 × 50 ms, take none of them down, are all counted by reason, and cost the
// node a limited share of a core.
func TestAFloodOfForgeries(t *testing.T) {
	lb1, lb2 := startedPair(t)
	now := func() control.Status {
		return lb1.waitStatus(t, "answering", func(control.Status) bool { return true })
	}
	before, used := now(), cpuTime(t, lb1)

	const packets = 3 * forgeRate
	path := lb1.BFD.Paths[0]
	lasted := runForger(t, lb2, fmt.Sprintf("%s %v %v %d %s", path.Link, path.Peer, path.Local, packets, forgeAll))
	used = cpuTime(t, lb1) - used
	after := now()
	// If the loop of the other node, which is not attacked, was late too, the host was the
	// cause.
	if late := lb2.waitStatus(t, "answering", func(control.Status) bool { return true }).Loop.LateMax; late > before.Paths[0].Detection/3 {
		t.Skipf("the host stood still for %v: what became of sessions with a detection time of %v proves nothing", late, before.Paths[0].Detection)
	}

	if after.Role != before.Role || after.Epoch != before.Epoch {
		t.Errorf("%s of epoch %d became %s of epoch %d", before.Role, before.Epoch, after.Role, after.Epoch)
	}
	dropped := after.Loop.UnexpectedSource[path.Name] - before.Loop.UnexpectedSource[path.Name]
	reasons := []string{fmt.Sprintf("source %d", dropped)}
	for i, s := range after.Paths {
		was := before.Paths[i]
		if s.State != "Up" || s.Stats.Ups != was.Stats.Ups || s.Stats.Downs != was.Stats.Downs || s.Detection != was.Detection {
			t.Errorf("path %s: %s, %d downs; it was %s, %d downs", s.Name, s.State, s.Stats.Downs, was.State, was.Stats.Downs)
		}
		for reason, n := range s.Stats.Drops {
			if n -= was.Stats.Drops[reason]; n > 0 {
				dropped += n
				reasons = append(reasons, fmt.Sprintf("%v %d", bfd.Drop(reason), n))
			}
		}
	}
	share := float64(used) / float64(lasted)
	t.Logf("%d packets in %v, %.0f a second: the node used %v, %.1f %% of a core; dropped: %s",
		packets, lasted.Round(time.Millisecond), packets/lasted.Seconds(), used, 100*share, strings.Join(reasons, ", "))
	if dropped != packets {
		t.Errorf("%d of %d counted as dropped", dropped, packets)
	}
	for _, reason := range []bfd.Drop{bfd.DropTTL, bfd.DropYourDiscr, bfd.DropTruncated, bfd.DropLength, bfd.DropVersion} {
		if after.Paths[0].Stats.Drops[reason] == before.Paths[0].Stats.Drops[reason] {
			t.Errorf("none dropped for %v", reason)
		}
	}
	if share > maxForgedShare {
		t.Errorf("the flood cost %.1f %% of a core, want %.0f %% at most", 100*share, 100*maxForgedShare)
	}
	for _, n := range []*testNode{lb1, lb2} {
		if err := n.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		n.wait(t)
	}
}

// maxForgedShare is the share of a core that a flood may cost a node, its own work
// included.
const maxForgedShare = 0.25

func runForger(t *testing.T, n *testNode, arguments string) time.Duration {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), forgerEnv+"="+arguments)
	var out, log strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &log
	n.in(t, cmd.Start)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Fatalf("forger: %v\n%s", err, log.String())
		}
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		<-ended
		t.Fatalf("the forger did not end within %v", patience)
	}
	lasted, err := strconv.ParseInt(strings.TrimSpace(out.String()), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(lasted)
}

// cpuTime returns a node's CPU time so far, user and kernel.
func cpuTime(t testing.TB, n *testNode) time.Duration {
	t.Helper()
	p, err := procfs.NewProc(n.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	stat, err := p.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(stat.CPUTime() * float64(time.Second))
}
