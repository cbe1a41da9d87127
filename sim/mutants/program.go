package mutants

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// Program is a command that was built with mutants in it.
type Program struct {
	together binary
	joined   *joined
	alone    map[string]binary // of mutants that join leaves out
}

// BuildProgram builds a package's command with the mutants into a folder.
func BuildProgram(ctx context.Context, root, dir, pkg string, list []Mutant) (*Program, error) {
	all, err := join(root, list)
	if err != nil {
		return nil, err
	}
	p := &Program{joined: all, alone: map[string]binary{}}
	if p.together, err = buildCommand(ctx, root, filepath.Join(dir, "together"), pkg, all.files); err != nil {
		return nil, err
	}
	for _, m := range list {
		if all.of(m.Name) != 0 {
			continue
		}
		changed, err := m.Apply(root)
		if err != nil {
			return nil, err
		}
		if p.alone[m.Name], err = buildCommand(ctx, root, filepath.Join(dir, m.Name), pkg, changed); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// buildCommand builds a package's command with changed files.
func buildCommand(ctx context.Context, root, dir, pkg string, changed map[string]string) (binary, error) {
	b := binary{path: filepath.Join(dir, "program")}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return b, err
	}
	overlay, err := writeOverlay(ctx, new(meter), root, dir, changed)
	if err != nil {
		return b, err
	}
	r := Runner{Root: root}
	return b, r.goCommand(ctx, new(meter), "build", undebugged, "-overlay", overlay, "-o", b.path, pkg)
}

// Command returns the command with a mutant, to run in dir. A name that is not in the list of
// BuildProgram runs the original.
func (p *Program) Command(ctx context.Context, dir, mutant string, args ...string) *exec.Cmd {
	b, ok := p.alone[mutant]
	if !ok {
		b = p.together
		b.play = strconv.Itoa(p.joined.of(mutant))
	}
	return b.command(ctx, dir, args...)
}
