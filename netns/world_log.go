package netns

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"baton/scenarios/evidence"
)

// logOf returns the path of a node's log, which all its processes append to.
func (w *World) logOf(node string) string {
	dir := w.cfg.Dir
	if d := w.disks[node]; d != nil {
		dir = d.dir
	}
	return filepath.Join(dir, evidence.LogFile(node))
}

// beginLog writes the header line of the node's next process.
func (w *World) beginLog(file, node string) error {
	w.mu.Lock()
	w.started[node]++
	life := w.started[node]
	w.mu.Unlock()
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("netns: log of %s: %w", node, err)
	}
	_, err = fmt.Fprintf(f, "=== process %d of %s, started %s\n", life, node, time.Now().Format(time.RFC3339Nano))
	return errors.Join(ignoring(err, unix.ENOSPC), f.Close()) // a full disk cannot take the header
}

// complaint recognises a line in which a program says what it does not accept or cannot do.
var complaint = regexp.MustCompile(`(?i)\b(unknown|invalid|error|fatal|panic|syntax|cannot|can't|unable|fail(ed|s|ure)?|denied|refused|no such|not found|must be|missing|in use)\b`)

// complaintLines is the number of last lines in which a complaint counts as the cause.
const complaintLines = 20

// lastCommandOutput returns the line of a contained node's commands that best explains its end. The
// log's last line is its init's and says only how it ended. Of the complaintLines lines before that it
// is the first complaint, which mostly causes the later ones, or else the last line; "" if there is none.
func lastCommandOutput(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	lines = lines[:len(lines)-1]
	for i, line := range slices.Backward(lines) {
		if strings.HasPrefix(line, "=== ") || i < len(lines)-complaintLines {
			lines = lines[i+1:]
			break
		}
	}
	if i := slices.IndexFunc(lines, complaint.MatchString); i >= 0 {
		return lines[i]
	}
	if len(lines) == 0 {
		return ""
	}
	return lines[len(lines)-1]
}

// exitReason returns the log line that says why the process ended: the Go runtime's panic
// line if there is one, else the last line.
func exitReason(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	words := bytes.TrimSpace(text)
	for _, said := range []string{"\npanic: ", "\nfatal error: ", "\nSIG"} {
		if i := bytes.LastIndex(text, []byte(said)); i >= 0 {
			words, _, _ = bytes.Cut(text[i+1:], []byte("\n"))
			return string(words)
		}
	}
	return string(words[bytes.LastIndexByte(words, '\n')+1:])
}
