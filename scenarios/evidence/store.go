package evidence

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Store writes the evidence of one run into the run's folder and collects the manifest.
type Store struct {
	dir     string
	files   []File
	missing []Missing
}

// NewStore returns a store for a folder that exists.
func NewStore(dir string) *Store { return &Store{dir: dir} }

// Put writes one file. It sets the size of f itself.
func (s *Store) Put(f File, write func(io.Writer) error) error {
	out, err := os.Create(filepath.Join(s.dir, f.File))
	if err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	err = write(out)
	info, statErr := out.Stat()
	if err = errors.Join(err, statErr, out.Close()); err != nil {
		return fmt.Errorf("evidence: write %s: %w", f.File, err)
	}
	f.Bytes = info.Size()
	s.files = append(s.files, f)
	return nil
}

// Lack notes evidence that could not be gathered.
func (s *Store) Lack(m Missing) { s.missing = append(s.missing, m) }

// Manifest returns the manifest of the files so far.
func (s *Store) Manifest(ask Ask) Manifest {
	m := Manifest{Version: Version, Limit: ask.Limit, Start: ask.Start,
		Windows: append([]Span{}, ask.Windows...), Files: append([]File{}, s.files...), Missing: append([]Missing{}, s.missing...)}
	if len(ask.Focus) > 0 {
		m.Focus = ask.Focus[0]
	}
	for _, f := range s.files {
		m.Bytes += f.Bytes
	}
	return m
}
