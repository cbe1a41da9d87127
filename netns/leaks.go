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

// settleTimeout is how long the kernel gets to let go before one looks for what
// holds a namespace. It frees sockets and programs after a grace period, which
// takes milliseconds unless somebody else on the machine just freed a large map:
// then all wait in one queue, for seconds. Nobody holds anything meanwhile.
const settleTimeout = 2 * time.Second

// leaks waits until nothing of the pair exists any more, and returns what still
// does when ctx ends, or earlier if it is clear that waiting is no use.
func (p *Pair) leaks(ctx context.Context) []trace.Leak {
	settle, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	gone := func() (bool, string, error) {
		return len(p.livingProcesses()) == 0 && len(p.livingPrograms()) == 0 && len(p.livingNamespaces()) == 0, "", nil
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

// explain lists what still exists. held says that something visible holds a
// namespace, or that a process runs, so that it will not go by itself.
func (p *Pair) explain() (left []trace.Leak, held bool) {
	left = p.livingProcesses()
	held = len(left) > 0
	left = append(left, p.livingPrograms()...)
	living := p.livingNamespaces()
	holders := findHolders("[0-9]*", living)
	// One that was freed during the search may have given its inode number to a
	// namespace of somebody else's, whom the search then found.
	living = p.livingNamespaces()
	for _, h := range p.hosts {
		if living[h.id.inode] == "" {
			continue
		}
		by := "nothing that /proc shows"
		if list := holders[h.id.inode]; len(list) > 0 {
			by, held = strings.Join(list, ", "), true
		}
		left = append(left, trace.Leak{What: fmt.Sprintf("namespace net:[%d] of %s still exists, held by %s", h.id.inode, h.name, by)})
	}
	return left, held
}

func (p *Pair) livingProcesses() []trace.Leak {
	var left []trace.Leak
	for _, h := range p.hosts {
		for _, process := range h.Processes() {
			left = append(left, trace.Leak{What: fmt.Sprintf("process %d of %s still runs: %s", process.pid, h.name, commandName(process.pid))})
		}
	}
	return left
}

// commandName is what the kernel calls a process.
func commandName(pid int) string {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return "ended meanwhile"
	}
	return strings.TrimSpace(string(name))
}

// livingPrograms looks for the BPF programs that cuts loaded and that processes
// were seen to hold. The kernel gives an id out again only after all the others.
func (p *Pair) livingPrograms() []trace.Leak {
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

// livingNamespaces returns the pair's namespaces that still exist, by inode with
// the host's name. It asks the kernel; one that cannot tell leaves the search for
// holders, and only in this process: inode numbers are given out anew at once, and
// where only they identify a namespace, other processes may hold the same number
// without any guilt.
func (p *Pair) livingNamespaces() map[uint64]string {
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

// findHolders searches the processes in scope (a pattern below /proc) for what
// keeps the given namespaces alive: a thread inside, a descriptor, a mount, or one
// of this process's own sockets. It looks at each thread, since a process's first
// one tells nothing of the rest.
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
			// What cannot be read has ended meanwhile, and holds nothing.
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
	for inode, list := range holders { // in any order: each list is its own
		slices.Sort(list)
		holders[inode] = slices.Compact(list)
	}
	return holders
}

// holderOf names who holds a namespace by what a path below /proc shows: a process of
// somebody else's by its command, with what ends it, and one of this process's own threads
// or descriptors by the path.
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

// maxCommand is how much of a command line is told.
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

// ownSockets returns the namespace inode of each socket that this process has open.
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
			continue // no socket
		}
		var stat unix.Stat_t
		if unix.Fstat(space, &stat) == nil {
			sockets[fd] = stat.Ino
		}
		unix.Close(space)
	}
	return sockets
}

// rememberPrograms notes the BPF programs that the process holds, to look for them
// after its end. The caller holds p.mu, and the process has not been reaped.
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
