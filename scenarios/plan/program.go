package plan

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"baton/scenarios/fault"
	"baton/scenarios/lab"
)

// Values of server=: who serves a service at the backends.
const (
	serverEcho = "echo"
	serverNone = "none"
)

// programLimit is the longest time for which a program may run.
const programLimit = 10 * time.Minute

// program reads HOST "COMMAND" [as NAME] for DURATION.
func (b *builder) program(verb fault.Verb, line *faultLine, f *Fault) {
	switch {
	case line.Command == nil:
		b.errorf(position(line.Pos), "", "run what? The form is: %s", verb.Usage())
		return
	case line.For == nil:
		b.errorf(position(line.Pos), "", "run for how long? The form is: %s", verb.Usage())
		return
	}
	if f.Hosts = b.machines(verb, line); len(f.Hosts) > 1 {
		b.errorf(position(line.Targets[1].Pos), "", "run takes one host; write a step for each")
	}
	f.Command = strings.Trim(line.Command.Text, `"`)
	words, ok := f.Words()
	if !ok || len(words) == 0 {
		b.errorf(position(line.Command.Pos), "", "%s is not a command: separate its words by spaces, or put them in single quotes", line.Command.Text)
		return
	}
	f.Name = filepath.Base(words[0])
	if line.As != nil {
		f.Name = line.As.Text
	}
	canonical, err := span(time.Millisecond, programLimit)(line.For.Text)
	if err != nil {
		b.refuse(line.For.Pos, "for", err)
		return
	}
	f.Time = timed(canonical)
}

// Words splits the command at spaces; single quotes keep a word together. It is false if a quote
// has no end. No shell reads the command.
func (f Fault) Words() ([]string, bool) {
	var words []string
	for i, part := range strings.Split(f.Command, "'") {
		if i%2 == 1 {
			words = append(words, part)
			continue
		}
		words = append(words, strings.Fields(part)...)
	}
	return words, strings.Count(f.Command, "'")%2 == 0
}

// Programs returns the steps that run programs in a world.
func (p *Plan) Programs(world string) []Step {
	return slices.DeleteFunc(slices.Clone(p.Steps), func(s Step) bool { return s.Verb != fault.Run || !s.Guard.In(world) })
}

// program checks that the host runs, and that the name of the program is unique.
func (t *timeline) program(s Step) {
	if t.broken["step"] {
		return
	}
	for _, host := range s.Fault.Hosts {
		t.host(s.Pos, host)
		if t.hosts[host] == fault.Crashed {
			t.errorf(s.Pos, host, "", "run %s: %s is down", host, host)
		}
	}
	if _, _, host := lab.ParseName(s.Fault.Name); host {
		t.errorf(s.Pos, s.Fault.Name, "", "a program cannot have the name of the host %q; add as NAME", s.Fault.Name)
	}
	for _, o := range t.Programs(t.world) {
		if o.Pos != s.Pos && o.Fault.Name == s.Fault.Name && cmp.Compare(o.Pos.Line, s.Pos.Line) < 0 {
			t.errorf(s.Pos, s.Fault.Name, "", "a second program %q; the first is %s. Add as NAME", s.Fault.Name, o.Pos)
		}
	}
}

// ran checks that the program of a condition exists in every world of the guard.
func (l *linter) ran(c Cond, program string, g Guard) {
	if l.broken["step"] {
		return
	}
	var names []string
	var guards []Guard
	for _, s := range l.Steps {
		if s.Verb != fault.Run {
			continue
		}
		names = append(names, s.Fault.Name)
		if program == "" || s.Fault.Name == program {
			guards = append(guards, s.Guard)
		}
	}
	switch {
	case len(guards) == 0 && len(names) > 0:
		l.errorf(c.Pos, program, Nearest(program, names), "unknown program %q", program)
	case len(names) > 0 && !covers(guards, g):
		l.errorf(c.Pos, "", "", "%s can be judged in one world only: its program is guarded, the claim is not", c)
	}
}

// afterwards says how to claim something that is known only after a program has ended.
func afterwards(what string) string {
	return what + " is known only after the program has ended; use always"
}

// output reads output(PROGRAM) [not] contains "TEXT".
func (b *builder) output(c *condition) []Cond {
	at := position(c.Pos)
	switch text := strings.Trim(c.Holds.Text.Text, `"`); {
	case c.Name != CheckOutput:
		b.errorf(at, CheckOutput, "%q takes no contains; only the output of a program does", c.Name)
	case c.Arg == nil:
		b.errorf(at, "", "the output of which program? Use output(NAME)")
	case text == "":
		b.errorf(position(c.Holds.Text.Pos), "", "every output contains the empty text")
	default:
		return []Cond{{Output: &Output{Program: c.Arg.Text, Text: text, Not: c.Holds.Not}, Pos: at}}
	}
	return nil
}
