package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/daemon/config"
	"baton/impl/flow"
)

// Node is what the control socket controls. It must be safe for concurrent use.
type Node interface {
	Status(context.Context) (Status, error)
	// Handover asks a MASTER to hand over to its peer; the error is its refusal. Status
	// shows when the peer has taken over.
	Handover(context.Context) error
	Entry(context.Context, flow.Tuple) (Entry, error)
	// Table reads the connection table, with at most limit entries.
	Table(ctx context.Context, limit int) (Table, error)
	Stop(context.Context) error
	// Reload applies the services of the configuration file and returns the changes, one
	// per line. An error changes nothing.
	Reload(context.Context) (changes []string, err error)
	// Edit changes one service, here and at the peer, and returns the changes, one per
	// line. An error changes nothing.
	Edit(ctx context.Context, e config.Edit) (changes []string, err error)
	// Break injects a dataplane failure, and Mend ends all of them. Both return a receipt.
	// A node that was not started for tests refuses both.
	Break(ctx context.Context, fault string) (changes []string, err error)
	Mend(context.Context) (changes []string, err error)
	// Drain stops new flows to a backend and sets the drain's deadline; Ready cancels it.
	Drain(ctx context.Context, service string, backend netip.AddrPort, limit time.Duration) error
	Ready(ctx context.Context, service string, backend netip.AddrPort) error
}

// Limits of a server against stuck and hostile clients.
const (
	maxRequest    = 64 << 10
	maxClients    = 64
	maxFlows      = 1 << 17
	answerTimeout = 5 * time.Second
)

// Server listens on a control socket.
type Server struct {
	answer   func(ctx context.Context, line []byte) any
	path     string
	made     fs.FileInfo // the socket's file
	listener *net.UnixListener
	release  func()
	close    sync.Once
	clients  sync.WaitGroup
	slots    chan struct{}
}

// Listen creates the socket, accessible only to its owner, and its folder. It replaces a
// socket that a dead node has left behind, but not one that answers.
func Listen(path string, node Node) (*Server, error) {
	return open(path, nodeAnswers{node}.answer)
}

func open(path string, answer func(ctx context.Context, line []byte) any) (*Server, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("control: folder of socket: %w", err)
	}
	short, release, err := shorten(path)
	if err != nil {
		return nil, fmt.Errorf("control: listen on %s: %w", path, err)
	}
	listener, err := listen(path, short)
	if err != nil {
		release()
		return nil, fmt.Errorf("control: listen on %s: %w", path, err)
	}
	made, err := os.Lstat(path)
	if err != nil {
		listener.Close()
		release()
		return nil, fmt.Errorf("control: listen on %s: %w", path, cause(err))
	}
	return &Server{answer: answer, path: path, made: made, listener: listener, release: release, slots: make(chan struct{}, maxClients)}, nil
}

func listen(path, short string) (*net.UnixListener, error) {
	address := &net.UnixAddr{Name: short, Net: "unix"}
	listener, err := net.ListenUnix("unix", address)
	if errors.Is(err, unix.EADDRINUSE) {
		if err := removeStale(path, address); err != nil {
			return nil, err
		}
		listener, err = net.ListenUnix("unix", address)
	}
	if err != nil {
		return nil, cause(err)
	}
	listener.SetUnlinkOnClose(false) // the address may be a path of a closed descriptor by then
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, cause(err)
	}
	return listener, nil
}

// removeStale removes a socket on which nobody listens any more. Anything else is an error: a socket of a node that runs,
// also one whose queue is full because it is stopped, and a file of another kind.
func removeStale(path string, address *net.UnixAddr) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return cause(err)
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("a file that is not a socket stands there; move it away or use another path")
	}
	conn, err := net.DialUnix("unix", nil, address)
	switch {
	case err == nil:
		conn.Close()
		return errors.New("another node answers on it")
	case errors.Is(err, unix.EAGAIN):
		return errors.New("another node has it and does not answer")
	case !errors.Is(err, unix.ECONNREFUSED):
		return cause(err)
	}
	return cause(os.Remove(path))
}

// cause is an error without the address, which may be a path of a descriptor; the message around it has the path.
func cause(err error) error {
	var op *net.OpError
	var path *fs.PathError
	switch {
	case errors.As(err, &op):
		return op.Err
	case errors.As(err, &path):
		return path.Err
	}
	return err
}

// Close removes the socket of a server, unless another one stands there by now. Serve ends with it.
func (s *Server) Close() {
	s.close.Do(func() {
		if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.made) {
			os.Remove(s.path)
		}
		s.listener.Close()
		s.release()
	})
}

// Serve answers requests until ctx is done, then closes the server.
func (s *Server) Serve(ctx context.Context) {
	stop := context.AfterFunc(ctx, s.Close)
	defer stop()
	for {
		conn, err := s.listener.AcceptUnix()
		if err != nil {
			break
		}
		select {
		case s.slots <- struct{}{}:
		default:
			conn.Close()
			continue
		}
		s.clients.Go(func() {
			defer func() { <-s.slots }()
			s.serve(ctx, conn)
		})
	}
	s.Close()
	s.clients.Wait()
}

// serve answers the requests of one connection in order.
func (s *Server) serve(ctx context.Context, conn *net.UnixConn) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	lines.Buffer(make([]byte, 0, 512), maxRequest)
	out := json.NewEncoder(conn)
	for lines.Scan() {
		answer := s.ask(ctx, lines.Bytes())
		if err := conn.SetWriteDeadline(time.Now().Add(answerTimeout)); err != nil {
			return
		}
		if err := out.Encode(answer); err != nil {
			return
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		_ = out.Encode(response{Error: fmt.Sprintf("control: request is longer than %d bytes", maxRequest)})
	}
}

func (s *Server) ask(ctx context.Context, line []byte) any {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return s.answer(ctx, line)
}

// nodeAnswers answers the requests for a node.
type nodeAnswers struct{ node Node }

func (n nodeAnswers) answer(ctx context.Context, line []byte) any {
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		return response{Error: fmt.Sprintf("control: request is not a JSON object: %v", err)}
	}
	answer, err := n.carryOut(ctx, r)
	if err != nil {
		return response{Error: err.Error()}
	}
	return answer
}

func (n nodeAnswers) carryOut(ctx context.Context, r request) (response, error) {
	switch r.Command {
	case cmdStatus:
		status, err := n.node.Status(ctx)
		return response{Status: &status}, err
	case cmdHandover:
		return response{}, n.node.Handover(ctx)
	case cmdStop:
		return response{}, n.node.Stop(ctx)
	case cmdReload:
		changes, err := n.node.Reload(ctx)
		return response{Changes: changes}, err
	case cmdEdit:
		changes, err := n.node.Edit(ctx, r.Edit)
		return response{Changes: changes}, err
	case cmdBreak:
		changes, err := n.node.Break(ctx, r.Fault)
		return response{Changes: changes}, err
	case cmdMend:
		changes, err := n.node.Mend(ctx)
		return response{Changes: changes}, err
	case cmdDrain:
		if r.For < 0 {
			return response{}, fmt.Errorf("control: drain: a deadline of %v is past; use 0s to move flows at once", r.For)
		}
		return response{}, n.node.Drain(ctx, r.Service, r.Backend, r.For)
	case cmdReady:
		return response{}, n.node.Ready(ctx, r.Service, r.Backend)
	case cmdEntry:
		tuple, err := ParseTuple(r.Tuple)
		if err != nil {
			return response{}, err
		}
		entry, err := n.node.Entry(ctx, tuple)
		return response{Entry: &entry}, err
	case cmdTable:
		if r.Limit < 0 || r.Limit > maxFlows {
			return response{}, fmt.Errorf("control: table: limit %d; it is 0 to %d", r.Limit, maxFlows)
		}
		table, err := n.node.Table(ctx, r.Limit)
		return response{Table: &table}, err
	}
	return response{}, fmt.Errorf("control: unknown command %q; use %s, %s, %s, %s, %s, %s, %s, %s or %s",
		r.Command, cmdStatus, cmdHandover, cmdEntry, cmdTable, cmdReload, cmdEdit, cmdDrain, cmdReady, cmdStop)
}
