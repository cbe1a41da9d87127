// Package evidence is what is kept of a run besides its trace and its result:
// frames, connection tables and logs, and the manifest that says what there is,
// what was cut, and what is missing and why. It holds the schema of the manifest,
// the names of the files, what is asked of a world, and the reading of what was
// stored; the worlds gather the evidence, package scenarios stores it, the reports
// show it. It judges nothing.
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

// Manifest says what is kept of a run. Instants are those of the run's trace.
type Manifest struct {
	Version  int    `json:"version"`
	Scenario string `json:"scenario"`
	World    string `json:"world"`
	Keep     Keep   `json:"keep"`  // of which runs evidence is kept
	Limit    int64  `json:"limit"` // bytes of all files together, without the manifest
	Bytes    int64  `json:"bytes"` // that they have
	// Start is the instant of the scenario's first step; texts count from it.
	Start clock.Instant `json:"start"`
	// Focus is the instant that matters most: at which the largest cluster of damage to
	// clients begins, or else the first failure.
	Focus clock.Instant `json:"focus"`
	// Windows are the stretches of which frames are kept, in order.
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
	// Span is what it covers: from the first frame to the last, or the instant at
	// which a table was read.
	Span *Span `json:"span,omitempty"`
	// Offset is by how many nanoseconds the stamps of a capture, which count from
	// 1970, are ahead of the trace's time axis.
	Offset int64 `json:"offset,omitempty"`
	// Cut says what was left out, and why.
	Cut []string `json:"cut,omitempty"`
}

// Missing is evidence that could not be had.
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

// manifestMost is how large a manifest may be, in bytes.
const manifestMost = 1 << 24

// Read reads the manifest in the folder of a run. The error wraps fs.ErrNotExist
// if nothing was kept of it.
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
