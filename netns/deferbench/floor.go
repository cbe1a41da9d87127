package deferbench

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"baton/impl/daemon/pki"
	"baton/impl/daemon/realtime"
	"baton/netns"
	"baton/scenarios/lab"
)

const (
	floorPort = 7100
	recordLen = 96 // about a frame with one change
)

// floor exchanges TLS records between processes on the two nodes' hosts, at a rate, and
// returns their round trips. The processes have the scheduling of the nodes' threads.
func floor(ctx context.Context, world *netns.World, program, dir string, rate int, d time.Duration) (trips []time.Duration, err error) {
	ids := lab.Nodes()
	files := filepath.Join(dir, "floor")
	if err := os.Mkdir(files, 0o700); err != nil {
		return nil, err
	}
	if err := pki.Init(files, ids...); err != nil {
		return nil, err
	}
	from, to := world.Host(ids[0]), world.Host(ids[1])
	cable, _ := to.Interface(lab.Sync)
	addr := netip.AddrPortFrom(cable.Addr.Addr(), floorPort).String()
	start := func(host *netns.Host, log string, words ...string) (*netns.Process, error) {
		return host.Start(netns.ProcessConfig{Args: append([]string{program, "-work"}, words...), Log: log})
	}
	log := filepath.Join(files, "ping.log")
	pong, err := start(to, filepath.Join(files, "pong.log"), "pong", files, ids[1], ids[0], addr)
	if err != nil {
		return nil, err
	}
	defer func() {
		_, failed := pong.Kill(context.WithoutCancel(ctx))
		err = errors.Join(err, failed)
	}()
	ping, err := start(from, log, "ping", files, ids[0], ids[1], addr, strconv.Itoa(rate), d.String())
	if err != nil {
		return nil, err
	}
	exit, err := ping.Wait(ctx)
	if err != nil {
		_, failed := ping.Kill(context.WithoutCancel(ctx))
		return nil, errors.Join(err, failed)
	}
	said, err := os.ReadFile(log)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(said, &trips); err != nil {
		return nil, fmt.Errorf("deferbench: TLS round trips: the process %s and said %q", exit, said)
	}
	return trips, nil
}

// Work is the main function of a TLS process: pong DIR ID PEER ADDR or
// ping DIR ID PEER ADDR RATE DURATION.
func Work(words []string) error {
	if len(words) < 5 {
		return fmt.Errorf("deferbench: no such work: %q", words)
	}
	log := slog.New(slog.DiscardHandler)
	realtime.Process(log)
	realtime.Threads(log)
	identity, err := pki.Load(pki.FilesIn(words[1], words[2]), words[2])
	if err != nil {
		return err
	}
	config, addr := identity.Peer(words[3]), words[4]
	if words[0] == "pong" {
		return pong(config, addr)
	}
	if len(words) != 7 {
		return fmt.Errorf("deferbench: no such work: %q", words)
	}
	rate, err := strconv.Atoi(words[5])
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(words[6])
	if err != nil {
		return err
	}
	trips, err := ping(config, addr, rate, d)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(trips)
}

// pong returns what it receives.
func pong(config *tls.Config, addr string) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	raw, err := listener.Accept()
	if err != nil {
		return err
	}
	conn := tls.Server(raw, config)
	b := make([]byte, recordLen)
	for {
		if _, err := io.ReadFull(conn, b); err != nil {
			return err
		}
		if _, err := conn.Write(b); err != nil {
			return err
		}
	}
}

// dialPatience is how long the other process may take to listen.
const dialPatience = 5 * time.Second

// ping sends records at a rate, one at a time, and returns their round trips.
func ping(config *tls.Config, addr string, rate int, d time.Duration) (trips []time.Duration, err error) {
	var raw net.Conn
	for deadline := time.Now().Add(dialPatience); ; time.Sleep(time.Millisecond) {
		if raw, err = net.Dial("tcp", addr); err == nil {
			break
		}
		if time.Now().After(deadline) {
			return nil, err
		}
	}
	conn := tls.Client(raw, config)
	defer raw.Close()
	if err := conn.Handshake(); err != nil {
		return nil, err
	}
	interval := time.Second / time.Duration(rate)
	b := make([]byte, recordLen)
	for next, end := time.Now(), time.Now().Add(d); next.Before(end); next = next.Add(interval) {
		time.Sleep(time.Until(next))
		began := time.Now()
		if _, err := conn.Write(b); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(conn, b); err != nil {
			return nil, err
		}
		trips = append(trips, time.Since(began))
	}
	return trips, nil
}
