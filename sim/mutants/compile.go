package mutants

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNotRun is the error of a mutant that this machine cannot build.
var ErrNotRun = errors.New("not run")

const (
	programs       = "bpf"     // the package that embeds the object of the eBPF programs
	programSources = "bpf/src" // their C sources
	generate       = "//go:generate "
	includes       = "-Isrc" // begins the flag of an include folder
	outputStem     = "-output-stem"
	generator      = "github.com/cilium/ebpf/cmd/bpf2go"
)

// compiler builds the eBPF programs as go generate does.
type compiler struct {
	root string
	tool string                 // path of bpf2go; if empty, go run builds it each time
	some func(stem string) bool // selects the programs
}

// compile builds the programs with changed C sources, which are given by path from the module's
// root. It returns the paths of the built files by the paths of the files that they replace.
func (c compiler) compile(ctx context.Context, spent *meter, dir string, changed map[string]string) (map[string]string, error) {
	for _, tool := range []string{"clang", "llvm-strip"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("%w: no %s", ErrNotRun, tool)
		}
	}
	copied, built := filepath.Join(dir, "src"), filepath.Join(dir, "built")
	if err := errors.Join(os.CopyFS(copied, os.DirFS(filepath.Join(c.root, programSources))), os.Mkdir(built, 0o755)); err != nil {
		return nil, err
	}
	for file, text := range changed {
		place, err := filepath.Rel(programSources, file)
		if err == nil {
			err = os.WriteFile(filepath.Join(copied, place), []byte(text), 0o644)
		}
		if err != nil {
			return nil, err
		}
	}
	commands, err := c.generators(copied, built)
	if err != nil {
		return nil, err
	}
	for _, args := range commands {
		build := exec.CommandContext(ctx, args[0], args[1:]...)
		build.Dir, build.Env = filepath.Join(c.root, programs), append(os.Environ(), "GOPACKAGE="+programs)
		if out, err := spent.combinedOutput(build); err != nil {
			return nil, fmt.Errorf("compile: %w\n%s", err, out)
		}
	}
	files, err := os.ReadDir(built)
	replace := map[string]string{}
	for _, f := range files {
		replace[filepath.Join(c.root, programs, f.Name())] = filepath.Join(built, f.Name())
	}
	return replace, err
}

// allPrograms selects every program.
func allPrograms(string) bool { return true }

// generators returns the commands of the package's go:generate lines, changed to read the folder
// source and to write to the folder output.
func (c compiler) generators(source, output string) (commands [][]string, err error) {
	text, err := os.ReadFile(filepath.Join(c.root, programs, "doc.go"))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		command, ok := strings.CutPrefix(line, generate)
		if !ok {
			continue
		}
		args := strings.Fields(command)
		tool := slices.IndexFunc(args, func(a string) bool { return a == generator })
		file := slices.IndexFunc(args, func(a string) bool { return strings.HasSuffix(a, ".c") })
		if tool < 0 || file < tool {
			return nil, fmt.Errorf("%s/doc.go: go:generate does not run %s: %s", programs, generator, command)
		}
		if stem := slices.Index(args, outputStem); stem >= 0 && !c.some(args[stem+1]) {
			continue
		}
		for i, a := range args {
			if rest, ok := strings.CutPrefix(a, includes); ok {
				args[i] = "-I" + source + rest
			}
		}
		args[file] = filepath.Join(source, filepath.Base(args[file]))
		args = slices.Insert(args, tool+1, "-output-dir", output)
		if c.tool != "" {
			args = append([]string{c.tool}, args[tool+1:]...)
		}
		commands = append(commands, args)
	}
	if commands == nil {
		return nil, fmt.Errorf("%s/doc.go has no go:generate line", programs)
	}
	return commands, nil
}
