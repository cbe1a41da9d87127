package mutants

import (
	"os/exec"
	"slices"
	"time"
)

// meter runs processes and adds up their processor time, including that of their children.
type meter struct {
	processor time.Duration
	polite    bool // run at low priority, so that tests that judge times come first
}

func (m *meter) combinedOutput(c *exec.Cmd) ([]byte, error) {
	defer m.note(m.prepare(c))
	return c.CombinedOutput()
}

func (m *meter) output(c *exec.Cmd) ([]byte, error) {
	defer m.note(m.prepare(c))
	return c.Output()
}

func (m *meter) prepare(c *exec.Cmd) *exec.Cmd {
	if path, err := exec.LookPath("nice"); m.polite && err == nil {
		c.Args = slices.Concat([]string{path, "-n", "10", c.Path}, c.Args[1:])
		c.Path = path
	}
	return c
}

func (m *meter) note(c *exec.Cmd) {
	if c.ProcessState != nil {
		m.processor += c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	}
}
