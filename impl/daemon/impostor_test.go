package daemon

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/bfd"
	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
	"baton/impl/node"
)

// impostorEnv makes this test binary an impostor: "LINK FROM TO ATTACK".
const impostorEnv = "BATON_TEST_IMPOSTOR"

// Attacks of an impostor, who receives all packets of a path and can send from any address.
const (
	attackHold = "hold" // continues the heartbeat of a dead peer with its last state
	attackAll  = "all"  // also replays, Downs, and the victim's own packets
)

// impostorPort is the source port of an impostor's packets, by which it distinguishes them
// from genuine ones: no session's port is outside of the range of RFC 5881 4, and receivers
// do not check it.
const impostorPort = bfd.FirstSourcePort - 1

// impostorReady is printed by an impostor once it has received packets of both ends.
const impostorReady = "attacks\n"

// impostorEvery is the time between two packets of an impostor.
const impostorEvery = 5 * time.Millisecond

// impersonate attacks until its process is killed.
func impersonate(arguments string) error {
	var link, from, to, attack string
	if _, err := fmt.Sscan(arguments, &link, &from, &to, &attack); err != nil {
		return err
	}
	i := impostor{from: netip.MustParseAddr(from), to: netip.MustParseAddr(to)}
	var err error
	if i.tap, err = openTap(link); err != nil {
		return err
	}
	if i.fd, err = rawSocket(link); err != nil {
		return err
	}
	for i.spoken == nil || i.answered == nil {
		time.Sleep(impostorEvery)
		if err := i.listen(); err != nil {
			return err
		}
	}
	fmt.Print(impostorReady)
	for n := 0; ; n++ {
		if attack == attackHold {
			n = 0
		}
		if err := i.send(n); err != nil {
			return err
		}
		time.Sleep(impostorEvery)
		if err := i.listen(); err != nil {
			return err
		}
	}
}

type impostor struct {
	tap      *tap
	fd       int
	from, to netip.Addr
	spoken   []byte // the peer's last packet
	answered []byte // the last packet of the victim
	sent     uint32 // since the last genuine packet
	buf      [512]byte
}

// listen returns the packets since the last call.
func (i *impostor) listen() error {
	for {
		p, err := i.tap.next(unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case err != nil:
			return err
		case p.port == impostorPort || p.yourDiscr == 0:
		case p.from == i.from && p.to == i.to:
			i.spoken, i.sent = p.payload, 0
		case p.from == i.to && p.to == i.from:
			i.answered = p.payload
		}
	}
}

// send sends one of four packets.
func (i *impostor) send(n int) error {
	const seqOffset = 24 + 4 // of an authenticated packet
	payload := i.buf[28 : 28+len(i.spoken)]
	copy(payload, i.spoken)
	next := func() {
		if i.sent++; len(payload) > seqOffset {
			seq := binary.BigEndian.Uint32(payload[seqOffset:])
			binary.BigEndian.PutUint32(payload[seqOffset:], seq+1+i.sent%8)
		}
	}
	switch n % 4 {
	case 0: // the peer's next heartbeat
		next()
	case 1: // a replay
	case 2: // the peer goes down
		payload[1] = payload[1]&0x3f | byte(bfd.Down)<<6
		next()
	case 3: // the victim's own packet
		payload = i.buf[28 : 28+len(i.answered)]
		copy(payload, i.answered)
	}
	return sendRaw(i.fd, i.buf[:28+len(payload)], i.from, i.to, impostorPort, bfd.TransmitTTL)
}

func linkIndex(name string) (int, error) {
	link, err := net.InterfaceByName(name)
	if err != nil {
		return 0, err
	}
	return link.Index, nil
}

// attackFrom runs an impostor on a path's network until the test ends, and returns once it
// attacks.
func attackFrom(t *testing.T, n *testNode, path config.Path, attack string) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %v %v %s", impostorEnv, path.Link, path.Local, path.Peer, attack))
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	n.in(t, cmd.Start)
	ready, ended := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := io.ReadFull(stdout, make([]byte, len(impostorReady)))
		ready <- err
		ended <- cmd.Wait()
	}()
	t.Cleanup(func() {
		select {
		case err := <-ended:
			t.Errorf("the impostor did not go on to the end: %v", err)
		default:
			_ = cmd.Process.Kill()
			<-ended
		}
	})
	select {
	case err := <-ready:
		if err != nil {
			t.Fatalf("the impostor ended before it attacked: %v", err)
		}
	case <-time.After(patience):
		t.Fatalf("the impostor did not hear both ends of the session within %v", patience)
	}
}

// clientsPath returns a status's path on the client side.
func clientsPath(s control.Status) node.PathStatus { return s.Paths[0] }

// refusedForgeries counts the packets of a path that its authentication refused.
func refusedForgeries(s control.Status) (n uint64) {
	for _, reason := range []bfd.Drop{bfd.DropAuthDigest, bfd.DropAuthSeq, bfd.DropAuthKeyID, bfd.DropYourDiscr} {
		n += clientsPath(s).Stats.Drops[reason]
	}
	return n
}

// TestAnImpostorDoesNotKeepADeadMasterAlive: an attacker on the client network who receives
// every heartbeat and sends from the MASTER's address neither takes the session down nor
// keeps it up after the MASTER's death.
func TestAnImpostorDoesNotKeepADeadMasterAlive(t *testing.T) {
	lb1, lb2 := startedPair(t)
	before := lb2.waitStatus(t, "BACKUP and in sync", syncedBackup)
	attackFrom(t, lb1, lb1.BFD.Paths[0], attackAll)
	was := clientsPath(before).Stats.Downs
	attacked := lb2.waitStatus(t, "attacked", func(s control.Status) bool {
		return refusedForgeries(s) >= 200 || clientsPath(s).Stats.Downs != was
	})
	if now := clientsPath(attacked).Stats.Downs; now != was {
		lb2.skipIfStalled(t, attacked)
		t.Fatalf("the session went down %d times under attack", now-was)
	}
	if err := lb1.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	taken := lb2.waitStatus(t, "MASTER although somebody speaks for the dead one", is("Master"))
	held := lb2.waitStatus(t, "attacked further", func(s control.Status) bool { return refusedForgeries(s) >= refusedForgeries(taken)+100 })
	if path := clientsPath(held); held.Role != "Master" || path.State == "Up" {
		t.Errorf("%s with the path to the dead peer %s", held.Role, path.State)
	}
	lb1.wait(t)
}

// TestWithoutASecretAnImpostorHoldsTheHeartbeat is the positive control: without
// authentication an impostor is indistinguishable from the peer. The impostor runs without
// real-time priority, so a detection takes a second.
func TestWithoutASecretAnImpostorHoldsTheHeartbeat(t *testing.T) {
	p := newPair(t)
	lb1, lb2 := p.nodes[0], p.nodes[1]
	for _, n := range p.nodes {
		n.BFD.Mult, n.HA.Hold = 20, config.Duration(time.Second)
		n.withoutSecret(t)
	}
	p.start(t)
	attackFrom(t, lb1, lb1.BFD.Paths[0], attackHold)
	received := clientsPath(lb2.waitStatus(t, "answering", func(control.Status) bool { return true })).Stats.Received
	more := func(n uint64) func(control.Status) bool {
		return func(s control.Status) bool { return clientsPath(s).Stats.Received >= received+n }
	}
	lb2.waitStatus(t, "hearing the impostor", more(100))
	if err := lb1.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	s := lb2.waitStatus(t, "without the other path", func(s control.Status) bool { return s.Paths[1].State != "Up" })
	received = clientsPath(s).Stats.Received
	s = lb2.waitStatus(t, "hearing the impostor alone", more(100))
	if s.Role != "Backup" || clientsPath(s).State != "Up" {
		t.Errorf("%s with the path to the dead peer %s: the impostor of this test does not attack", s.Role, clientsPath(s).State)
	}
	lb1.wait(t)
}
