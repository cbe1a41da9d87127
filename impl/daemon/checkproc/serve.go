package checkproc

import (
	"context"
	"encoding/gob"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"

	"baton/impl/daemon/checker"
	"baton/impl/daemon/config"
	"baton/impl/daemon/realtime"
)

// name is the name of the check process, by which the program knows that it is one.
const name = "baton-checks"

// connection is the descriptor of the node's connection.
const connection = 3

// Called reports whether this process was started as a check process. A program that runs a node then calls Main,
// before anything else.
func Called() bool { return os.Args[0] == name }

// Main is the check process. It returns its exit code when the node has ended or ends it.
func Main() int {
	var handler slog.Handler = slog.NewTextHandler(os.Stderr, nil)
	if len(os.Args) > 2 && os.Args[2] == "json" {
		handler = slog.NewJSONHandler(os.Stderr, nil)
	}
	log := slog.New(handler).With("process", name)
	if len(os.Args) > 1 {
		log = log.With("node", os.Args[1])
	}
	// A service manager and a terminal signal the node and its processes alike. The node then needs the checks until it
	// has left, and closes the connection. Scripts get the default handling, which they would not of ignored signals.
	signal.Notify(make(chan os.Signal, 1), unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	_ = os.WriteFile("/proc/self/comm", []byte(name), 0) // for ps; the program is /proc/self/exe
	if err := realtime.Lower(); err != nil {
		log.Error("the check process keeps its priority", "error", err)
		return 1
	}
	unix.CloseOnExec(connection)
	file := os.NewFile(connection, "node")
	conn, err := net.FileConn(file)
	if err != nil {
		log.Error("the check process was not started by a node", "error", err)
		return 1
	}
	file.Close()
	defer conn.Close()
	c, err := checker.New(log)
	if _, unsent := conn.Write(answer{err: err}.marshal()); err != nil || unsent != nil {
		return 1
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(context.Background())
	var checks sync.WaitGroup
	checks.Go(func() { c.Run(ctx) })
	serve(ctx, cancel, conn, c.Probe)
	checks.Wait()
	return 0
}

// serve probes on request until the connection ends.
func serve(ctx context.Context, cancel context.CancelFunc, conn net.Conn, probe func(context.Context, config.Service, netip.AddrPort) error) {
	var probes sync.WaitGroup
	defer probes.Wait()
	defer cancel()
	for requests := gob.NewDecoder(conn); ; {
		var r request
		if err := requests.Decode(&r); err != nil {
			return
		}
		probes.Go(func() {
			err := probe(ctx, config.Service{Name: r.Service, Proto: r.Proto, Check: r.Check}, r.Backend)
			if ctx.Err() != nil {
				return // ended by the node, not by the backend
			}
			_, _ = conn.Write(answer{r.ID, err}.marshal()) // fails once the node has ended
		})
	}
}
