package peers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"baton/netns"
)

// Where Debian's frr installs its programs.
const (
	zebraProgram = "/usr/lib/frr/zebra"
	bfddProgram  = "/usr/lib/frr/bfdd"
	vtysh        = "/usr/bin/vtysh"
)

// MissingFRR says which part of FRR is not installed, nil if none is missing.
func MissingFRR() error { return missing("frr", zebraProgram, bfddProgram, vtysh) }

// FRR is FRR's bfdd, with the zebra that it needs to know interfaces.
type FRR struct {
	dir         string
	zebra, bfdd *netns.Process
}

// StartFRR runs bfdd in a host with a configuration in FRR's language. The host's
// interfaces should be up: bfdd starts a session some time after zebra has reported its
// interface.
func StartFRR(ctx context.Context, host *netns.Host, config string) (_ *FRR, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	f := &FRR{}
	if f.dir, err = folder("frr-", "frr"); err != nil {
		return nil, fmt.Errorf("peers: start FRR: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("peers: start FRR: %w", err), f.Close(context.WithoutCancel(ctx)))
		}
	}()
	if f.zebra, err = f.start(ctx, host, zebraProgram, "", "zserv.api"); err != nil {
		return nil, err
	}
	f.bfdd, err = f.start(ctx, host, bfddProgram, config, "bfdd.vty", "--bfdctl", f.path("bfdd.sock"))
	return f, err
}

// start runs one daemon of FRR and waits until it answers on a socket. Its log is beside
// its configuration.
func (f *FRR) start(ctx context.Context, host *netns.Host, program, config, socket string, args ...string) (*netns.Process, error) {
	name := filepath.Base(program)
	if err := os.WriteFile(f.path(name+".conf"), []byte(config), 0o644); err != nil {
		return nil, err
	}
	log := f.path(name + ".log")
	p, err := host.Start(netns.ProcessConfig{Log: log, Args: append([]string{program,
		"-f", f.path(name + ".conf"), "-i", f.path(name + ".pid"), "-z", f.path("zserv.api"),
		"--vty_socket", f.dir, "-P", "0", "--log", "stdout"}, args...)})
	if err != nil {
		return nil, err
	}
	if err := awaitSocket(ctx, p, f.path(socket)); err != nil {
		return p, failed(log, fmt.Errorf("%s: %w", name, err))
	}
	return p, nil
}

func (f *FRR) path(name string) string { return filepath.Join(f.dir, name) }

// Process returns bfdd's process.
func (f *FRR) Process() *netns.Process { return f.bfdd }

// Log returns the path of bfdd's log.
func (f *FRR) Log() string { return f.path("bfdd.log") }

// Kill kills bfdd and zebra, like a crash.
func (f *FRR) Kill(ctx context.Context) error { return kill(ctx, f.processes()...) }

// Close stops FRR and removes its folder.
func (f *FRR) Close(ctx context.Context) error {
	return errors.Join(stop(ctx, f.processes()...), os.RemoveAll(f.dir))
}

func (f *FRR) processes() []*netns.Process {
	var started []*netns.Process
	for _, p := range []*netns.Process{f.bfdd, f.zebra} {
		if p != nil {
			started = append(started, p)
		}
	}
	return started
}

// Run sends commands to bfdd, one line each, and returns its output.
func (f *FRR) Run(ctx context.Context, commands ...string) (string, error) {
	args := []string{"--vty_socket", f.dir, "-d", "bfdd"}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	return query(ctx, vtysh, args...)
}

// Configure changes the configuration of the running bfdd. The lines are those of its
// configuration file; the first refused line is the error.
func (f *FRR) Configure(ctx context.Context, lines ...string) error {
	out, err := f.Run(ctx, append([]string{"configure terminal"}, lines...)...)
	if err == nil && strings.Contains(out, "% ") {
		err = fmt.Errorf("peers: FRR refuses %q: %s", lines, strings.TrimSpace(out))
	}
	return err
}

// Version returns FRR's version, such as 8.4.4.
func (f *FRR) Version(ctx context.Context) (string, error) {
	out, err := query(ctx, bfddProgram, "--version")
	first, _, _ := strings.Cut(out, "\n")
	return strings.TrimSpace(strings.TrimPrefix(first, "bfdd version ")), err
}

// FRRSession is FRR's view of one session. Intervals are in milliseconds.
type FRRSession struct {
	Peer             string `json:"peer"`
	Local            string `json:"local"`
	Interface        string `json:"interface"`
	Multihop         bool   `json:"multihop"`
	ID               uint32 `json:"id"`
	RemoteID         uint32 `json:"remote-id"`
	Status           string `json:"status"` // up, init, down, shutdown
	Diagnostic       string `json:"diagnostic"`
	RemoteDiagnostic string `json:"remote-diagnostic"`

	DetectMultiplier     int `json:"detect-multiplier"`
	ReceiveInterval      int `json:"receive-interval"`
	TransmitInterval     int `json:"transmit-interval"`
	EchoReceiveInterval  int `json:"echo-receive-interval"`
	EchoTransmitInterval int `json:"echo-transmit-interval"`

	RemoteDetectMultiplier    int `json:"remote-detect-multiplier"`
	RemoteReceiveInterval     int `json:"remote-receive-interval"`
	RemoteTransmitInterval    int `json:"remote-transmit-interval"`
	RemoteEchoReceiveInterval int `json:"remote-echo-receive-interval"`
}

// Sessions returns FRR's sessions, by peer.
func (f *FRR) Sessions(ctx context.Context) ([]FRRSession, error) {
	var sessions []FRRSession
	err := f.show(ctx, &sessions, "show bfd peers json")
	slices.SortFunc(sessions, func(a, b FRRSession) int { return cmp.Compare(a.Peer, b.Peer) })
	return sessions, err
}

// FRRCounters are FRR's counters of one session.
type FRRCounters struct {
	Peer          string `json:"peer"`
	ControlInput  uint64 `json:"control-packet-input"`
	ControlOutput uint64 `json:"control-packet-output"`
	EchoInput     uint64 `json:"echo-packet-input"`
	EchoOutput    uint64 `json:"echo-packet-output"`
	SessionUp     uint64 `json:"session-up"`
	SessionDown   uint64 `json:"session-down"`
}

// Counters returns FRR's counters of each session, by peer.
func (f *FRR) Counters(ctx context.Context) ([]FRRCounters, error) {
	var counters []FRRCounters
	err := f.show(ctx, &counters, "show bfd peers counters json")
	slices.SortFunc(counters, func(a, b FRRCounters) int { return cmp.Compare(a.Peer, b.Peer) })
	return counters, err
}

func (f *FRR) show(ctx context.Context, into any, command string) error {
	out, err := f.Run(ctx, command)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		return fmt.Errorf("peers: FRR answers %q with %q: %w", command, out, err)
	}
	return nil
}
