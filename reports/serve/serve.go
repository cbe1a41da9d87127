package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"baton/reports"
)

// Options are what a Server can be told.
type Options struct {
	Last int // runs of a scenario that its history goes over
	// Every is how long it waits between two scans, at least.
	Every time.Duration
	// Host is a name, besides localhost and addresses, by which it may be called.
	Host string
}

const (
	// rest is how many times as long as a scan takes the server waits until the next.
	rest = 5
	// shownMost is how large a trace may be whose run is rendered on request, in bytes.
	shownMost = 256 << 20
)

// Server serves one folder. Update or Watch must run before and while its Handler does.
type Server struct {
	options Options
	folder  string   // as it was given
	files   *os.Root // refuses what leads out of it
	scanner *scanner
	broke   map[string]said // what broke in runs that were asked for, by folder
	render  sync.Mutex      // one page at a time

	mu      sync.Mutex
	index   Index
	encoded []byte         // the index as JSON
	runs    map[string]Run // of the index, by path
	changed chan struct{}  // closed at the next change
}

// said is what was said of a run's files.
type said struct {
	files signature
	broke string
}

// Open returns the server of a folder. The error says that it is none, or unreadable.
func Open(folder string, o Options) (*Server, error) {
	root, err := filepath.EvalSymlinks(folder)
	if err == nil {
		root, err = filepath.Abs(root)
	}
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder", folder)
	}
	files, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	return &Server{options: o, folder: folder, files: files, scanner: newScanner(root), broke: map[string]said{}, changed: make(chan struct{})}, nil
}

// Close closes the folder.
func (s *Server) Close() error { return s.files.Close() }

// Index is what the last scan found.
func (s *Server) Index() Index {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.index
}

// Watch scans the folder until the context ends.
func (s *Server) Watch(ctx context.Context) {
	for {
		began := time.Now()
		s.Update()
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(s.options.Every, rest*time.Since(began))):
		}
	}
}

// Update scans the folder once, and wakes who waits if anything has changed. One
// goroutine calls it.
func (s *Server) Update() {
	runs, problems := s.scanner.scan(time.Now())
	x := index(s.folder, s.options.Last, runs, problems)
	for i := range x.Scenarios {
		h := &x.Scenarios[i]
		newest := &h.Runs[len(h.Runs)-1]
		newest.Broke = s.brokeOf(*newest)
	}
	encoded, err := json.Marshal(x)
	if err != nil {
		panic(err) // plain data
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if string(encoded) == string(s.encoded) {
		return
	}
	s.index, s.encoded, s.runs = x, encoded, map[string]Run{}
	for _, run := range runs {
		s.runs[run.Path] = run
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// brokeOf is the first sentence of what broke in a run, as its page says it.
func (s *Server) brokeOf(run Run) string {
	if run.Verdict != "FAIL" && run.Verdict != "INCONCLUSIVE" {
		return ""
	}
	if was, ok := s.broke[run.dir]; ok && was.files == run.files {
		return was.broke
	}
	broke := fmt.Sprintf("its trace has %d bytes: baton report %s shows what broke", run.size, run.dir)
	if run.size <= shownMost {
		broke = first(reports.BuildRuns([]string{run.dir}, nil).Runs[0].Answer)
	}
	s.broke[run.dir] = said{run.files, broke}
	return broke
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// run is a run of the last scan.
func (s *Server) run(path string) (Run, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	run, ok := s.runs[path]
	return run, ok
}

// now is the index as JSON, and what is closed when it changes.
func (s *Server) now() ([]byte, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.encoded, s.changed
}
