// Package evidence stores and reads the evidence of a run besides its trace and result: frames,
// connection tables, logs, and a manifest that lists them, what was cut, and what is missing and
// why. It defines the manifest's schema, the file names, and the request to a world. The worlds
// gather the evidence, package scenarios stores it, and the reports show it. The package judges
// nothing.
package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"baton/impl/clock"
	"baton/scenarios/check"
	"baton/scenarios/stored"
)

// ManifestFile is the manifest's name in the folder of a run.
const ManifestFile = "evidence.json"

// Version is the version of the manifest's schema.
const Version = 1

// Manifest lists the evidence of a run. Instants are on the trace's time axis.
type Manifest struct {
	Version  int    `json:"version"`
	Scenario string `json:"scenario"`
	World    string `json:"world"`
	Keep     Keep   `json:"keep"`  // which runs keep evidence
	Limit    int64  `json:"limit"` // limit in bytes for all files, without the manifest
	Bytes    int64  `json:"bytes"` // their actual size
	// Start is the instant of the scenario's first step; texts count from it.
	Start clock.Instant `json:"start"`
	// Focus is the instant that matters most: the start of the largest cluster of damage to
	// clients, or else of the first failure.
	Focus clock.Instant `json:"focus"`
	// Windows are the times whose frames are kept, in order.
	Windows []Span    `json:"windows"`
	Files   []File    `json:"files"`
	Missing []Missing `json:"missing"`
}

// Span is a stretch of time, both ends included.
type Span = check.Span

// Kinds of files.
const (
	Capture = "capture" // pcapng: the frames of one edge
	Table   = "table"   // text: the connection table of one node
	Log     = "log"     // text: what the processes of one node wrote
)

// File is one file beside the manifest.
type File struct {
	File  string `json:"file"` // its name in the run's folder
	Kind  string `json:"kind"`
	Edge  string `json:"edge,omitempty"` // of a capture: clients, backends, sync
	Node  string `json:"node,omitempty"` // of a table or log
	What  string `json:"what"`           // in words
	Bytes int64  `json:"bytes"`
	// Count is the number of frames, entries or processes in it.
	Count int `json:"count"`
	// Span is the time that it covers: from the first frame to the last, or the instant at
	// which a table was read.
	Span *Span `json:"span,omitempty"`
	// Offset is the difference in nanoseconds between the stamps of a capture, which count
	// from 1970, and the trace's time axis.
	Offset int64 `json:"offset,omitempty"`
	// Cut says what was left out, and why.
	Cut []string `json:"cut,omitempty"`
}

// Missing is evidence that could not be gathered, and why.
type Missing struct {
	Kind string `json:"kind"`
	Edge string `json:"edge,omitempty"`
	Node string `json:"node,omitempty"`
	Why  string `json:"why"`
}

// CaptureFile is the name of the capture of an edge.
func CaptureFile(edge string) string { return "capture-" + edge + ".pcapng" }

// TableFile is the name of a node's connection table.
func TableFile(node string) string { return "table-" + node + ".txt" }

// LogFile is the name of a node's log.
func LogFile(node string) string { return "log-" + node + ".txt" }

// manifestMost limits the size of a manifest in bytes.
const manifestMost = 1 << 24

// Read reads the manifest in the folder of a run. The error wraps fs.ErrNotExist if the run kept no
// evidence.
func Read(dir string) (Manifest, error) {
	var m Manifest
	file := filepath.Join(dir, ManifestFile)
	data, err := stored.ReadFile(file, manifestMost)
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("evidence: %s: %w", file, err)
	}
	return m, err
}

// Write stores the manifest in the folder of a run.
func (m Manifest) Write(dir string) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("evidence: encode the manifest: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, ManifestFile), append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	return nil
}
