package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/daemon/realtime"
	"baton/impl/trace"
	"baton/netns/internal/hostclock"
)

// ProcessConfig describes a process to start.
type ProcessConfig struct {
	// Args is the command line. Args[0] is looked up in PATH if it has no slash.
	Args []string
	// Env is added to the harness's environment and overrides it.
	Env []string
	// Dir is the working directory; "" is the harness's.
	Dir string
	// Contained gives the process its own PID, mount, IPC and UTS namespaces. Its
	// descendants end with it, and signals for the node reach all of them.
	Contained bool
	// Ordinary starts the process without the harness's real-time priority, which it would inherit.
	// A reference node raises its own priority once it is open. Before that it computes for a tenth
	// of a second, which at real-time priority would delay the harnesses of other runs.
	Ordinary bool
	// Log is the file to which standard output and error are appended, also by a restarted
	// node. "" discards them.
	Log string
	// Trace receives the events that the process writes as JSON lines to file descriptor 3,
	// in order and from one goroutine. A slow Trace never blocks the process. An invalid
	// line becomes a note. Without Trace there is no descriptor 3.
	Trace func(trace.Event)
	// Started is called once, before the first event of its trace, with how long the process has waited for a
	// processor until then. May be nil.
	Started func(clock.Instant, time.Duration)
	// Died is called once if the process ends without having been asked to, after its last
	// trace event. May be nil.
	Died func(*Process, Exit)
}

// Exit is how a process ended.
type Exit struct {
	At     clock.Instant // when its end was noticed
	Code   int           // exit status, if Signal is 0
	Signal unix.Signal   // the signal that killed it, 0 if it exited
}

func (e Exit) String() string {
	if e.Signal != 0 {
		return "killed by " + unix.SignalName(e.Signal)
	}
	return "exit status " + strconv.Itoa(e.Code)
}

// Process is a program that runs in a host, in its own process group. It dies with the
// harness, even while it is stopped.
type Process struct {
	host    *Host
	pid     int
	pidfd   int
	started clock.Instant
	died    func(*Process, Exit)
	// contained means that it is the init of its own PID namespace.
	contained bool

	mu       sync.Mutex
	ended    bool // reaped: its pid may be reused
	asked    bool // asked to end
	frozen   bool // by Freeze
	throttle *throttle
	exit     Exit
	done     chan struct{}
	drained  chan struct{}
	pipe     *os.File
}

// Start runs a program in the host.
func (h *Host) Start(cfg ProcessConfig) (*Process, error) {
	p, err := h.start(cfg)
	if err != nil {
		return nil, fmt.Errorf("netns: start %s in %s: %w", strings.Join(cfg.Args, " "), h.name, err)
	}
	return p, nil
}

func (h *Host) start(cfg ProcessConfig) (_ *Process, err error) {
	if len(cfg.Args) == 0 {
		return nil, errors.New("no command line")
	}
	path, err := exec.LookPath(cfg.Args[0])
	if err != nil {
		return nil, err
	}
	p := &Process{host: h, started: hostclock.Now(), died: cfg.Died, contained: cfg.Contained, done: make(chan struct{}), drained: make(chan struct{})}
	files, err := openFiles(cfg)
	if err != nil {
		return nil, err
	}
	defer files.closeChildEnds()
	attr := &syscall.ProcAttr{Dir: cfg.Dir, Env: environment(cfg.Env), Files: files.child,
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL, PidFD: &p.pidfd}}
	if cfg.Contained {
		attr.Sys.Cloneflags = containedFlags
		if err := h.rememberParameters(); err != nil {
			files.closeTrace()
			return nil, err
		}
	}
	fork := func() error {
		p.pid, err = syscall.ForkExec(path, cfg.Args, attr)
		return err
	}
	if cfg.Ordinary {
		inherited := fork
		fork = func() error { return realtime.Ordinarily(inherited) }
	}
	if err := h.spawn(fork); err != nil {
		files.closeTrace()
		return nil, err
	}
	p.pipe = files.trace
	h.mu.Lock()
	h.processes = append(h.processes, p)
	h.mu.Unlock()
	if p.pipe == nil {
		close(p.drained)
	} else {
		go pump(p.pipe, h.name, p.first(cfg), p.drained)
	}
	go p.reap()
	return p, nil
}

// environment is the harness's environment with the given variables replacing those of the
// same name: programs disagree which of two duplicates counts.
func environment(extra []string) []string {
	name := func(variable string) string { key, _, _ := strings.Cut(variable, "="); return key }
	env := slices.DeleteFunc(os.Environ(), func(own string) bool {
		return slices.ContainsFunc(extra, func(given string) bool { return name(given) == name(own) })
	})
	return append(env, extra...)
}

// spawn runs f, which forks, on the host's thread.
func (h *Host) spawn(f func() error) (err error) {
	if h.closed {
		return errors.New("the host is closed")
	}
	h.thread.do(func() { err = f() })
	return err
}

// Host returns the host in which the process runs.
func (p *Process) Host() *Host { return p.host }

func (p *Process) PID() int { return p.pid }

// Done is closed when the process has ended and all its trace events were delivered.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for the end of the process and of its trace.
func (p *Process) Wait(ctx context.Context) (Exit, error) {
	select {
	case <-p.done:
		return p.exit, nil
	case <-ctx.Done():
		return Exit{}, fmt.Errorf("netns: process %d of %s has not ended: %w", p.pid, p.host.name, ctx.Err())
	}
}

// Signal sends a signal to the process. After SIGTERM, SIGINT or SIGKILL its end counts as
// asked for. Signalling an ended process is not an error.
func (p *Process) Signal(sig unix.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return nil
	}
	if sig == unix.SIGTERM || sig == unix.SIGINT || sig == unix.SIGKILL {
		p.asked = true
		p.rememberPrograms()
	}
	if err := unix.PidfdSendSignal(p.pidfd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("netns: send %s to process %d in %s: %w", unix.SignalName(sig), p.pid, p.host.name, err)
	}
	return nil
}

// signalGroup signals the process and what it started in its group. The group id cannot
// have been reused, because its leader is not reaped yet.
func (p *Process) signalGroup(sig unix.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.signalAll(sig)
}

// signalAll is signalGroup for callers that hold p.mu.
func (p *Process) signalAll(sig unix.Signal) error {
	if p.ended {
		return nil
	}
	if sig == unix.SIGKILL {
		p.asked = true
		p.rememberPrograms()
	}
	if p.contained {
		return p.signalMembers(sig)
	}
	if err := unix.Kill(-p.pid, sig); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("netns: send %s to process group %d in %s: %w", unix.SignalName(sig), p.pid, p.host.name, err)
	}
	return nil
}

// Kill kills the process and its group and waits until it is reaped.
func (p *Process) Kill(ctx context.Context) (Exit, error) {
	if err := p.signalGroup(unix.SIGKILL); err != nil {
		return Exit{}, err
	}
	return p.Wait(ctx)
}

// Freeze stops the process and its group. The receipt is that no thread can run.
func (p *Process) Freeze(ctx context.Context) (string, error) {
	p.setFrozen(true)
	if err := p.signalGroup(unix.SIGSTOP); err != nil {
		return "", err
	}
	threads, err := p.awaitStopped(ctx, true)
	if err != nil {
		return "", noReceipt("freeze %s: %w", p.host.name, err)
	}
	return fmt.Sprintf("process %d stopped: %d threads in state T", p.pid, threads), nil
}

// Thaw continues the process and returns the receipt.
func (p *Process) Thaw(ctx context.Context) (string, error) {
	p.setFrozen(false)
	if err := p.signalGroup(unix.SIGCONT); err != nil {
		return "", err
	}
	if _, err := p.awaitStopped(ctx, false); err != nil {
		return "", noReceipt("thaw %s: %w", p.host.name, err)
	}
	return fmt.Sprintf("process %d continues: no thread in state T", p.pid), nil
}

// awaitStopped waits until all threads of the process are stopped, or none is, and returns
// their number. A thread in uninterruptible sleep (D) counts as stopped, since it stops before it
// returns to user space. A shell sleeps so while its child is stopped between vfork and exec.
func (p *Process) awaitStopped(ctx context.Context, stopped bool) (threads int, err error) {
	err = poll(ctx, func() (bool, string, error) {
		states, err := p.threadStates()
		if err != nil {
			return false, "", err
		}
		threads = len(states)
		inT := strings.Count(states, "T")
		done := inT == 0
		if stopped {
			done = inT+strings.Count(states, "D") == threads
		}
		return done, fmt.Sprintf("threads of process %d are in states %s", p.pid, states), nil
	})
	return threads, err
}

// threadStates returns the states of all threads of the node. Descendants may end at any
// time; the node's own process must not.
func (p *Process) threadStates() (string, error) {
	states, err := threadStates(p.pid)
	for _, pid := range p.members()[1:] {
		if more, gone := threadStates(pid); gone == nil {
			states += more
		}
	}
	return states, err
}

// threadStates returns the state letter of each thread of a process
// (proc_pid_stat(5)). It fails if the process is gone or is a zombie.
func threadStates(pid int) (string, error) {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return "", fmt.Errorf("process %d is gone: %w", pid, err)
	}
	var states []byte
	for _, task := range tasks {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, task.Name()))
		if err != nil {
			continue // the thread ended meanwhile
		}
		// The name before the state is in parentheses and may hold any character.
		_, rest, ok := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
		if !ok {
			return "", fmt.Errorf("stat of process %d: %q", pid, stat)
		}
		states = append(states, rest[0])
	}
	if len(states) == 0 || slices.Contains(states, 'Z') {
		return "", fmt.Errorf("process %d has ended", pid)
	}
	return string(states), nil
}

// reap waits for the end of the process, kills the rest of its group, and reports.
func (p *Process) reap() {
	// WNOWAIT leaves a zombie, so that the group's id cannot be reused yet.
	for errors.Is(unix.Waitid(unix.P_PIDFD, p.pidfd, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
	at := hostclock.Now()
	p.mu.Lock()
	_ = unix.Kill(-p.pid, unix.SIGKILL) // usually only the zombie is left
	var status unix.WaitStatus
	for {
		if _, err := unix.Wait4(p.pid, &status, 0, nil); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.ended = true
	unix.Close(p.pidfd)
	p.mu.Unlock()

	p.exit = Exit{At: at, Code: status.ExitStatus()}
	if status.Signaled() {
		p.exit = Exit{At: at, Signal: status.Signal()}
	}
	p.drain()
	p.host.mu.Lock()
	p.host.processes = slices.DeleteFunc(p.host.processes, func(q *Process) bool { return q == p })
	p.host.mu.Unlock()
	close(p.done)
	if p.died != nil && !p.asked {
		p.died(p, p.exit)
	}
}

// drain waits for the rest of the trace. The pipe ends with the process, unless a
// descendant outside the group holds it too; it gets one second.
func (p *Process) drain() {
	if p.pipe != nil {
		_ = p.pipe.SetReadDeadline(time.Now().Add(time.Second))
	}
	<-p.drained
}

// poll calls f until it reports true or an error, or ctx ends. Then the error says what f
// saw last.
func poll(ctx context.Context, f func() (ok bool, seen string, err error)) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		ok, seen, err := f()
		if ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s (%w)", seen, ctx.Err())
		}
	}
}
