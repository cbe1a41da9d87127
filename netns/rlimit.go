package netns

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// resource is a per-process limit of the kernel (getrlimit(2)).
type resource struct {
	name string
	id   int
}

var (
	fileLimit   = resource{"RLIMIT_NOFILE", unix.RLIMIT_NOFILE}
	memoryLimit = resource{"RLIMIT_DATA", unix.RLIMIT_DATA}
)

// LimitFiles limits the process to the open files and sockets that it has, plus more. The
// receipt is the limit as read back.
func (p *Process) LimitFiles(more int) (string, error) {
	open, err := p.openFiles()
	if err != nil {
		return "", noReceipt("starve %s: %w", p.host.name, err)
	}
	// A new descriptor gets the lowest free number, which must be below the limit.
	limit := 0
	for free := 0; free <= more; limit++ {
		if !open[limit] {
			free++
		}
	}
	limit--
	if err := p.setLimit(fileLimit, uint64(limit)); err != nil {
		return "", noReceipt("starve %s: %w", p.host.name, err)
	}
	return fmt.Sprintf("process %d has %d files and can open %d more: RLIMIT_NOFILE is %d", p.pid, len(open), more, limit), nil
}

// LimitMemory limits the process to the memory that it has, plus more bytes. The receipt is
// the limit as read back.
func (p *Process) LimitMemory(more uint64) (string, error) {
	has, err := p.memory()
	if err == nil {
		err = p.setLimit(memoryLimit, has+more)
	}
	if err != nil {
		return "", noReceipt("starve %s: %w", p.host.name, err)
	}
	return fmt.Sprintf("process %d has %d MiB and can have %d more: RLIMIT_DATA is %d", p.pid, has>>20, more>>20, has+more), nil
}

// Unlimit undoes LimitFiles and LimitMemory.
func (p *Process) Unlimit() (string, error) {
	var receipts []string
	for _, r := range []resource{fileLimit, memoryLimit} {
		var now unix.Rlimit
		err := p.prlimit(r, nil, &now)
		if err == nil {
			err = p.setLimit(r, now.Max)
		}
		if err != nil {
			return "", noReceipt("feed %s: %w", p.host.name, err)
		}
		limit := strconv.FormatUint(now.Max, 10)
		if now.Max == unix.RLIM_INFINITY {
			limit = "unlimited"
		}
		receipts = append(receipts, r.name+" is "+limit)
	}
	return fmt.Sprintf("process %d: %s", p.pid, strings.Join(receipts, ", ")), nil
}

func (p *Process) setLimit(r resource, limit uint64) error {
	var now unix.Rlimit
	if err := p.prlimit(r, nil, &now); err != nil {
		return err
	}
	want := unix.Rlimit{Cur: limit, Max: now.Max}
	if err := p.prlimit(r, &want, nil); err != nil {
		return err
	}
	if err := p.prlimit(r, nil, &now); err != nil {
		return err
	}
	if now != want {
		return fmt.Errorf("%s is %d after %d was set", r.name, now.Cur, limit)
	}
	return nil
}

func (p *Process) prlimit(r resource, set, get *unix.Rlimit) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return errors.New("its process has ended")
	}
	return os.NewSyscallError("prlimit", unix.Prlimit(p.pid, r.id, set, get))
}

// openFiles returns the process's descriptors.
func (p *Process) openFiles() (map[int]bool, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.pid))
	if err != nil {
		return nil, err
	}
	open := map[int]bool{}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil {
			open[fd] = true
		}
	}
	return open, nil
}

// memory returns the bytes that count against RLIMIT_DATA.
func (p *Process) memory() (uint64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmData:"); ok {
			kib, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("/proc does not show its memory")
}
