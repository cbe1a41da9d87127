package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"baton/impl/trace"
)

// settleTimeout is how long the kernel may take to release a namespace before the search
// for holders begins. It frees sockets and programs after a grace period of milliseconds,
// or of seconds if another process has just freed a large map.
const settleTimeout = 2 * time.Second

// leaks waits until nothing of the pair exists any more. It returns what still exists when
// ctx ends, or earlier if something visible holds it.
func (p *Pair) leaks(ctx context.Context) []trace.Leak {
	settle, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	gone := func() (bool, string, error) {
		return len(p.remainingProcesses()) == 0 && len(p.remainingPrograms()) == 0 && len(p.remainingNamespaces()) == 0, "", nil
	}
	if poll(settle, gone) == nil {
		return nil
	}
	left, held := p.explain()
	if held {
		return left
	}
	if poll(ctx, gone) == nil {
		return nil
	}
	left, _ = p.explain()
	return left
}

// explain lists what still exists. held reports that a process runs or something visible
// holds a namespace, so that waiting is useless.
func (p *Pair) explain() (left []trace.Leak, held bool) {
	left = p.remainingProcesses()
	held = len(left) > 0
	left = append(left, p.remainingPrograms()...)
	living := p.remainingNamespaces()
	holders := findHolders("[0-9]*", living)
	// The inode number of a namespace that was freed during the search may already belong
	// to somebody else's namespace.
	living = p.remainingNamespaces()
	for _, h := range p.hosts {
		if living[h.id.inode] == "" {
			continue
		}
		by := "nothing visible in /proc"
		if list := holders[h.id.inode]; len(list) > 0 {
			by, held = strings.Join(list, ", "), true
		}
		left = append(left, trace.Leak{What: fmt.Sprintf("namespace net:[%d] of %s still exists, held by %s", h.id.inode, h.name, by)})
	}
	return left, held
}

func (p *Pair) remainingProcesses() []trace.Leak {
	var left []trace.Leak
	for _, h := range p.hosts {
		for _, process := range h.Processes() {
			left = append(left, trace.Leak{What: fmt.Sprintf("process %d of %s still runs: %s", process.pid, h.name, commandName(process.pid))})
		}
	}
	return left
}

// commandName returns the kernel's name of a process.
func commandName(pid int) string {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return "ended meanwhile"
	}
	return strings.TrimSpace(string(name))
}

// remainingPrograms returns the BPF programs, loaded by cuts or seen in processes, that are
// still loaded. The kernel reuses an id only after all others.
func (p *Pair) remainingPrograms() []trace.Leak {
	p.mu.Lock()
	owner := map[uint32]string{}
	ids := slices.Clone(p.programs)
	p.mu.Unlock()
	for _, h := range p.hosts {
		h.mu.Lock()
		for _, id := range h.programs {
			owner[id] = h.name
			ids = append(ids, id)
		}
		h.mu.Unlock()
	}
	slices.Sort(ids)
	var left []trace.Leak
	for _, id := range slices.Compact(ids) {
		program, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			left = append(left, trace.Leak{What: fmt.Sprintf("BPF program %d: %v", id, err)})
			continue
		}
		program.Close()
		of := "a cut"
		if owner[id] != "" {
			of = owner[id]
		}
		left = append(left, trace.Leak{What: fmt.Sprintf("BPF program %d of %s is still loaded", id, of)})
	}
	return left
}

// remainingNamespaces returns the pair's namespaces that still exist: inode to host name.
// If the kernel cannot tell, it searches for holders, in this process only: inode numbers
// are reused at once, so another process may hold the same number legitimately.
func (p *Pair) remainingNamespaces() map[uint64]string {
	living, unsure := map[uint64]string{}, map[uint64]string{}
	for _, h := range p.hosts {
		gone, known := h.id.gone()
		switch {
		case !known:
			unsure[h.id.inode] = h.name
		case !gone:
			living[h.id.inode] = h.name
		}
	}
	if len(unsure) > 0 {
		for inode := range findHolders("self", unsure) {
			living[inode] = unsure[inode]
		}
	}
	return living
}

// findHolders searches the processes in scope (a pattern below /proc) for what keeps the
// given namespaces alive: a thread, a descriptor, a mount, or a socket of this process. It
// looks at each thread, since threads may be in different namespaces.
func findHolders(scope string, inodes map[uint64]string) map[uint64][]string {
	holders := map[uint64][]string{}
	see := func(text, holder string) {
		if inode, ok := namespaceInode(text); ok && inodes[inode] != "" {
			holders[inode] = append(holders[inode], holder)
		}
	}
	for _, pattern := range []string{"task/[0-9]*/ns/net", "fd/[0-9]*"} {
		paths, _ := filepath.Glob("/proc/" + scope + "/" + pattern) // the only error is a bad pattern
		for _, path := range paths {
			// An unreadable path has ended meanwhile and holds nothing.
			if text, err := os.Readlink(path); err == nil {
				see(text, holderOf(path))
			}
		}
	}
	mounts, _ := filepath.Glob("/proc/" + scope + "/mountinfo")
	for _, path := range mounts {
		table, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(table), "net:[") {
			continue
		}
		for field := range strings.FieldsSeq(string(table)) {
			see(field, holderOf(path))
		}
	}
	for fd, inode := range ownSockets() {
		if inodes[inode] != "" {
			holders[inode] = append(holders[inode], fmt.Sprintf("socket %d of this process", fd))
		}
	}
	for inode, list := range holders { // order does not matter
		slices.Sort(list)
		holders[inode] = slices.Compact(list)
	}
	return holders
}

// holderOf describes a namespace's holder from its path below /proc: another process by its
// command and how to end it, this process's threads and descriptors by the path.
func holderOf(path string) string {
	_, below, _ := strings.Cut(path, "/proc/")
	pid, _, _ := strings.Cut(below, "/")
	if pid == "self" || pid == strconv.Itoa(os.Getpid()) {
		return path
	}
	line, err := os.ReadFile("/proc/" + pid + "/cmdline")
	command := strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
	if err != nil || command == "" {
		return path
	}
	if most := []rune(command); len(most) > maxCommand {
		command = string(most[:maxCommand]) + "…"
	}
	return fmt.Sprintf("process %s (%s); `kill %s` ends it", pid, command, pid)
}

// maxCommand is the maximum length of a printed command line.
const maxCommand = 80

// namespaceInode parses "net:[4026532281]".
func namespaceInode(text string) (uint64, bool) {
	digits, ok := strings.CutPrefix(text, "net:[")
	if !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(digits, "]"), 10, 64)
	return inode, err == nil
}

// ownSockets maps each open socket of this process to its namespace inode.
func ownSockets() map[int]uint64 {
	sockets := map[int]uint64{}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil
	}
	for _, entry := range entries {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		space, err := unix.IoctlRetInt(fd, unix.SIOCGSKNS)
		if err != nil {
			continue // not a socket
		}
		var stat unix.Stat_t
		if unix.Fstat(space, &stat) == nil {
			sockets[fd] = stat.Ino
		}
		unix.Close(space)
	}
	return sockets
}

// rememberPrograms notes the BPF programs that the process holds, to look for them after
// its end. The caller holds p.mu, and the process has not been reaped.
func (p *Process) rememberPrograms() {
	var paths []string
	for _, pid := range p.members() {
		held, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/[0-9]*", pid)) // the only error is a bad pattern
		paths = append(paths, held...)
	}
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	for _, path := range paths {
		info, err := os.ReadFile(path)
		if err != nil {
			continue // closed meanwhile
		}
		for line := range strings.Lines(string(info)) {
			value, ok := strings.CutPrefix(line, "prog_id:")
			if !ok {
				continue
			}
			if id, err := strconv.ParseUint(strings.TrimSpace(value), 10, 32); err == nil {
				p.host.programs = append(p.host.programs, uint32(id))
			}
		}
	}
}
