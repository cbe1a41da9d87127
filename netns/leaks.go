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

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"baton/impl/trace"
)

// leaks waits until nothing of the pair exists any more, and returns what still
// does when ctx ends.
func (p *Pair) leaks(ctx context.Context) []trace.Leak {
	var left []trace.Leak
	err := poll(ctx, func() (bool, string, error) {
		left = append(p.livingProcesses(), p.livingPrograms()...)
		left = append(left, p.livingNamespaces(false)...)
		return len(left) == 0, "", nil
	})
	if err == nil {
		return nil
	}
	left = append(p.livingProcesses(), p.livingPrograms()...)
	return append(left, p.livingNamespaces(true)...)
}

func (p *Pair) livingProcesses() []trace.Leak {
	var left []trace.Leak
	for _, h := range p.hosts {
		for _, process := range h.Processes() {
			left = append(left, trace.Leak{What: fmt.Sprintf("process %d of %s still runs", process.pid, h.name)})
		}
	}
	return left
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

// livingNamespaces looks for the pair's namespaces: by asking the kernel where it
// can tell, otherwise, or to explain, by searching what holds one.
func (p *Pair) livingNamespaces(explain bool) []trace.Leak {
	living := map[uint64]string{}
	asked := true
	for _, h := range p.hosts {
		gone, known := h.id.gone()
		if !gone {
			living[h.id.inode] = h.name
		}
		asked = asked && known
	}
	if len(living) == 0 {
		return nil
	}
	holders := map[uint64][]string{}
	switch {
	case !asked:
		// Inode numbers are given out anew at once. Where only they identify a
		// namespace, other processes may hold the same number without any guilt.
		holders = findHolders("self", living)
	case explain:
		holders = findHolders("[0-9]*", living)
	}
	var left []trace.Leak
	for _, h := range p.hosts {
		inode := h.id.inode
		if living[inode] == "" || !asked && len(holders[inode]) == 0 {
			continue
		}
		by := "nothing that /proc shows"
		if len(holders[inode]) > 0 {
			by = strings.Join(holders[inode], ", ")
		}
		left = append(left, trace.Leak{What: fmt.Sprintf("namespace net:[%d] of %s still exists, held by %s", inode, h.name, by)})
	}
	return left
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
				see(text, path)
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
			see(field, path)
		}
	}
	for fd, inode := range ownSockets() {
		if inodes[inode] != "" {
			holders[inode] = append(holders[inode], fmt.Sprintf("socket %d of this process", fd))
		}
	}
	for _, list := range holders {
		slices.Sort(list)
	}
	return holders
}

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
	paths, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/[0-9]*", p.pid))
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
