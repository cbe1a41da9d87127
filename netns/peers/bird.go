package peers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton/netns"
)

// Where Debian's bird2 installs its programs.
const (
	birdProgram = "/usr/sbin/bird"
	birdc       = "/usr/sbin/birdc"
)

// MissingBIRD says which part of BIRD is not installed, nil if none is missing.
func MissingBIRD() error { return missing("bird2", birdProgram, birdc) }

// BIRD is a BIRD routing daemon, of which only BFD is used.
type BIRD struct {
	dir     string
	process *netns.Process
}

// StartBIRD runs BIRD in a host with a configuration in BIRD's language; the device
// protocol is added.
func StartBIRD(ctx context.Context, host *netns.Host, config string) (_ *BIRD, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	b := &BIRD{}
	if b.dir, err = os.MkdirTemp("", "bird-"); err != nil {
		return nil, fmt.Errorf("peers: start BIRD: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("peers: start BIRD: %w", err), b.Close(context.WithoutCancel(ctx)))
		}
	}()
	if err := b.write(config); err != nil {
		return nil, err
	}
	if b.process, err = host.Start(netns.ProcessConfig{Log: b.Log(), Args: []string{birdProgram,
		"-f", "-c", b.path("bird.conf"), "-s", b.path("bird.ctl"), "-P", b.path("bird.pid")}}); err != nil {
		return nil, err
	}
	if err := awaitSocket(ctx, b.process, b.path("bird.ctl")); err != nil {
		return nil, failed(b.Log(), err)
	}
	// BIRD opens its socket before it reads its configuration, and answers afterwards.
	if _, err := b.Run(ctx, "show status"); err != nil {
		return nil, failed(b.Log(), err)
	}
	return b, nil
}

// write writes the configuration. Timestamps have microseconds. BIRD requires a router id,
// which BFD does not use.
func (b *BIRD) write(config string) error {
	const head = "router id 198.18.0.1;\ntimeformat protocol \"%T.%6f\";\nlog stderr all;\nprotocol device { scan time 1; }\n"
	return os.WriteFile(b.path("bird.conf"), []byte(head+config), 0o644)
}

func (b *BIRD) path(name string) string { return filepath.Join(b.dir, name) }

// Process returns BIRD's process.
func (b *BIRD) Process() *netns.Process { return b.process }

// Log returns the path of BIRD's log.
func (b *BIRD) Log() string { return b.path("bird.log") }

// Kill kills BIRD, like a crash.
func (b *BIRD) Kill(ctx context.Context) error { return kill(ctx, b.process) }

// Close stops BIRD and removes its folder.
func (b *BIRD) Close(ctx context.Context) error {
	var err error
	if b.process != nil {
		err = stop(ctx, b.process)
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// Run sends one command to BIRD and returns its output without the greeting.
func (b *BIRD) Run(ctx context.Context, command string) (string, error) {
	out, err := query(ctx, birdc, append([]string{"-s", b.path("bird.ctl")}, strings.Fields(command)...)...)
	_, answer, _ := strings.Cut(out, "\n")
	return answer, err
}

// Configure replaces the configuration of the running BIRD.
func (b *BIRD) Configure(ctx context.Context, config string) error {
	if err := b.write(config); err != nil {
		return fmt.Errorf("peers: configure BIRD: %w", err)
	}
	answer, err := b.Run(ctx, "configure")
	if err == nil && !strings.Contains(answer, "Reconfigur") {
		err = fmt.Errorf("peers: BIRD refuses its configuration: %s", strings.TrimSpace(answer))
	}
	return err
}

// Enable enables or disables BIRD's BFD by command, without a change of its configuration.
func (b *BIRD) Enable(ctx context.Context, on bool) error {
	verb := map[bool]string{true: "enable", false: "disable"}[on]
	answer, err := b.Run(ctx, verb+" bfd1") // BIRD's name of an unnamed protocol
	if err == nil && !strings.Contains(answer, "bfd1: "+verb+"d") {
		err = fmt.Errorf("peers: BIRD does not %s BFD: %s", verb, strings.TrimSpace(answer))
	}
	return err
}

// Version returns BIRD's version, such as 2.0.12.
func (b *BIRD) Version(ctx context.Context) (string, error) {
	out, err := query(ctx, birdProgram, "--version")
	return strings.TrimSpace(strings.TrimPrefix(out, "BIRD version ")), err
}

// BIRDSession is BIRD's view of one session.
type BIRDSession struct {
	Peer      string
	Interface string
	State     string        // Up, Init, Down, AdminDown
	Since     string        // time of day, to the microsecond
	Interval  time.Duration // transmit interval
	Timeout   time.Duration // Detection Time
}

// Sessions lists the sessions of BIRD's BFD protocols, by peer.
func (b *BIRD) Sessions(ctx context.Context) ([]BIRDSession, error) {
	answer, err := b.Run(ctx, "show bfd sessions")
	if err != nil {
		return nil, err
	}
	var sessions []BIRDSession
	for line := range strings.Lines(answer) {
		if s, ok := birdSession(strings.Fields(line)); ok {
			sessions = append(sessions, s)
		}
	}
	slices.SortFunc(sessions, func(a, b BIRDSession) int { return cmp.Compare(a.Peer, b.Peer) })
	return sessions, nil
}

// birdSession parses a row of BIRD's table; false for headers and blank lines.
func birdSession(columns []string) (BIRDSession, bool) {
	if len(columns) != 6 {
		return BIRDSession{}, false
	}
	interval, errInterval := strconv.ParseFloat(columns[4], 64)
	timeout, errTimeout := strconv.ParseFloat(columns[5], 64)
	if errInterval != nil || errTimeout != nil {
		return BIRDSession{}, false
	}
	seconds := func(f float64) time.Duration { return time.Duration(f * float64(time.Second)).Round(time.Millisecond) }
	return BIRDSession{Peer: columns[0], Interface: columns[1], State: columns[2], Since: columns[3],
		Interval: seconds(interval), Timeout: seconds(timeout)}, true
}
