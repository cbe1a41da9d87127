package checkproc

import (
	"bufio"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/daemon/checker"
	"baton/impl/daemon/realtime"
)

const (
	startLimit = 10 * time.Second
	endLimit   = time.Second // until a process that was told to end is killed
)

// child is one check process, as the node sees it.
type child struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has been reaped
	conn   *net.UnixConn
	in     *bufio.Reader
	out    chan *gob.Encoder // holds the encoder while nobody writes
	ended  chan struct{}     // closed when no answer comes any more
	fails  chan error        // why no answer comes any more; has room for one

	mu      sync.Mutex
	last    uint64             // the ID of the last request
	waiting map[uint64]waiting // requests without an answer
}

// waiting is a request without an answer.
type waiting struct {
	result   chan error // has room for one
	deadline time.Time
}

// start starts a process and waits until it can probe. The calling thread must outlive it.
func start(ctx context.Context, cfg Config) (*child, error) {
	ours, theirs, err := socketpair()
	if err != nil {
		return nil, fmt.Errorf("checkproc: %w", err)
	}
	c := &child{
		cmd: &exec.Cmd{
			Path: "/proc/self/exe", Args: []string{name, cfg.Node, cfg.LogFormat}, Stderr: os.Stderr, ExtraFiles: []*os.File{theirs},
			SysProcAttr: &unix.SysProcAttr{Pdeathsig: unix.SIGKILL},
		},
		exited: make(chan struct{}), conn: ours, in: bufio.NewReader(ours), out: make(chan *gob.Encoder, 1),
		ended: make(chan struct{}), fails: make(chan error, 1), waiting: map[uint64]waiting{},
	}
	c.out <- gob.NewEncoder(ours)
	err = c.cmd.Start()
	theirs.Close()
	if err != nil {
		ours.Close()
		return nil, fmt.Errorf("checkproc: start the check process: %w", err)
	}
	// It lowers its other threads itself. A process that has ended needs no priority.
	lowered := realtime.LowerProcess(c.cmd.Process.Pid)
	go func() {
		_ = c.cmd.Wait() // the process state has the result
		close(c.exited)
	}()
	if lowered != nil && !errors.Is(lowered, unix.ESRCH) {
		c.close()
		return nil, lowered
	}
	if err := c.greeted(ctx); err != nil {
		c.close()
		return nil, fmt.Errorf("checkproc: the check process does not start: %w", err)
	}
	return c, nil
}

// greeted waits for the first answer.
func (c *child) greeted(ctx context.Context) error {
	_ = c.conn.SetReadDeadline(time.Now().Add(startLimit))
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetReadDeadline(time.Unix(0, 1)) })
	defer stop()
	hello, err := readAnswer(c.in)
	if err != nil {
		return c.reason(err)
	}
	if hello.ID != 0 || hello.err != nil {
		return fmt.Errorf("it says: %v", hello.err)
	}
	return c.conn.SetReadDeadline(time.Time{})
}

// run passes answers on until the process fails or ctx is done. Then the process has ended.
func (c *child) run(ctx context.Context) error {
	go func() { c.fail(c.read()) }()
	err := c.watch(ctx)
	close(c.ended)
	c.close()
	return err
}

// watch returns when ctx is done or the process has failed.
func (c *child) watch(ctx context.Context) error {
	for overdue := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case err := <-c.fails:
			return c.reason(err)
		case <-time.After(time.Second):
		}
		// A node that was stopped for a while finds all results overdue once.
		if !c.overdue(time.Now()) {
			overdue = 0
		} else if overdue++; overdue > 1 {
			return fmt.Errorf("the check process has not answered for %v", hangLimit)
		}
	}
}

// overdue reports whether a result should have come long ago.
func (c *child) overdue(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.waiting {
		if now.Sub(w.deadline) > hangLimit {
			return true
		}
	}
	return false
}

// fail ends the process. Only the first failure counts.
func (c *child) fail(err error) {
	select {
	case c.fails <- err:
	default:
	}
}

func (c *child) read() error {
	for {
		a, err := readAnswer(c.in)
		if err != nil {
			return err
		}
		w, asked := c.answered(a.ID)
		if !asked {
			return fmt.Errorf("%w: probe %d was not asked for, or has been answered", errMalformed, a.ID)
		}
		w.result <- a.err
	}
}

// answered returns and removes a request.
func (c *child) answered(id uint64) (w waiting, asked bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, asked = c.waiting[id]
	delete(c.waiting, id)
	return w, asked
}

// probe sends a request and waits for its answer. The request stays known without it: the answer may be late.
func (c *child) probe(ctx context.Context, r request, deadline time.Time) error {
	w := waiting{make(chan error, 1), deadline}
	c.mu.Lock()
	c.last++
	r.ID = c.last
	c.waiting[r.ID] = w
	c.mu.Unlock()
	select {
	case encoder := <-c.out:
		_ = c.conn.SetWriteDeadline(time.Now().Add(hangLimit))
		if err := encoder.Encode(r); err != nil {
			c.fail(err)
		}
		c.out <- encoder
	case <-c.ended:
	case <-ctx.Done():
	}
	select {
	case err := <-w.result:
		return err
	case <-c.ended:
		return fmt.Errorf("%w: the check process has ended", checker.ErrUndecided)
	case <-ctx.Done():
		return fmt.Errorf("%w: the check process has not answered", checker.ErrUndecided)
	}
}

// reason returns why the process failed, given the error of its connection.
func (c *child) reason(err error) error {
	if errors.Is(err, errMalformed) {
		return fmt.Errorf("the check process is stopped: %w", err)
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, unix.EPIPE) {
		return err
	}
	select {
	case <-c.exited:
		return fmt.Errorf("the check process has ended: %v", c.cmd.ProcessState)
	case <-time.After(endLimit):
		return errors.New("the check process has closed its connection")
	}
}

// close tells the process to end, kills it if it does not, and reaps it.
func (c *child) close() {
	c.conn.Close()
	select {
	case <-c.exited:
	case <-time.After(endLimit):
		_ = c.cmd.Process.Kill()
		<-c.exited
	}
}

// socketpair returns the two ends of a connection. The second is for the process.
func socketpair() (ours *net.UnixConn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	file := os.NewFile(uintptr(fds[0]), "check process")
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		unix.Close(fds[1])
		return nil, nil, err
	}
	return conn.(*net.UnixConn), os.NewFile(uintptr(fds[1]), "node"), nil
}
