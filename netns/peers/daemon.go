package peers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"baton/netns"
)

// patience bounds the wait for a daemon to start or to answer. It takes tens of
// milliseconds, longer on a loaded machine.
const patience = 20 * time.Second

// folder makes a folder for a daemon that drops root to the named user, who must read its
// configuration and make sockets there.
func folder(pattern, username string) (string, error) {
	owner, err := user.Lookup(username)
	if err != nil {
		return "", err
	}
	uid, errUID := strconv.Atoi(owner.Uid)
	gid, errGID := strconv.Atoi(owner.Gid)
	if err := errors.Join(errUID, errGID); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", pattern)
	if err != nil {
		return "", err
	}
	return dir, os.Chown(dir, uid, gid)
}

// awaitSocket waits until something answers on a Unix socket, or the process has ended.
func awaitSocket(ctx context.Context, p *netns.Process, path string) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := net.Dial("unix", path)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.Done():
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// query runs a daemon's command-line client and returns its output.
func query(ctx context.Context, client string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, client, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("peers: %s: %w: %s", filepath.Base(client), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// stop sends SIGTERM to processes and waits until they have ended.
func stop(ctx context.Context, processes ...*netns.Process) error {
	var errs []error
	for _, p := range processes {
		errs = append(errs, p.Signal(unix.SIGTERM))
	}
	for _, p := range processes {
		_, err := p.Wait(ctx)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// kill kills processes, like a crash.
func kill(ctx context.Context, processes ...*netns.Process) error {
	var errs []error
	for _, p := range processes {
		_, err := p.Kill(ctx)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// missing says which of the programs are not installed.
func missing(debian string, programs ...string) error {
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is not installed (Debian package %s)", program, debian)
		}
	}
	return nil
}

// failed adds the end of a daemon's log to an error.
func failed(log string, err error) error {
	text, _ := os.ReadFile(log)
	const most = 2000
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return fmt.Errorf("%w; its log ends: %s", err, strings.TrimSpace(string(text)))
}
