// Package tree is the first process of a contained node: the init of its PID namespace,
// with its own mounts. It runs an adapter's commands, reaps orphans, polls the role, stops
// the node and names the processes that do not stop. The kernel kills the tree when it
// ends.
//
// Package subject writes its launch file, and the world runs it as `baton subject node`.
package tree

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Launch describes a node to start.
type Launch struct {
	Node   string   `json:"node"`
	Dir    string   `json:"dir"` // working folder of the commands
	Env    []string `json:"env"`
	Mounts []string `json:"mounts"`
	// Logs are folders whose content is kept in Dir.
	Logs  []string `json:"logs"`
	Start string   `json:"start"`
	Run   string   `json:"run"`
	Stop  string   `json:"stop"`
	Role  string   `json:"role"`
	// Reset removes what earlier trees of the node left outside of them.
	Reset string `json:"reset"`
	// Commands are the commands of a running node, by name.
	Commands map[string]string `json:"words"`
	// Trace passes descriptor 3 to the commands.
	Trace   bool          `json:"trace"`
	Timeout time.Duration `json:"timeout"`
}

// Write writes the launch file into a folder and returns its path.
func (l Launch) Write(dir string) (string, error) {
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return "", fmt.Errorf("launch of %s: %w", l.Node, err)
	}
	file := filepath.Join(dir, "launch.json")
	return file, os.WriteFile(file, append(text, '\n'), 0o644)
}

func read(file string) (l Launch, err error) {
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	if err != nil {
		return l, fmt.Errorf("launch file: %w", err)
	}
	return l, nil
}
