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

// Options of a Server.
type Options struct {
	Last int // number of runs of a scenario in its history
	// Every is the minimum time between two scans.
	Every time.Duration
	// Host is an additional host name that is accepted, besides localhost and addresses.
	Host string
}

const (
	// rest is the pause between two scans, as a multiple of the duration of a scan.
	rest = 5
	// shownMost is the size in bytes of the largest trace that is rendered on request.
	shownMost = 256 << 20
)

// Server serves one folder. Update or Watch must run before and during the use of its Handler.
type Server struct {
	options Options
	folder  string   // as given
	files   *os.Root // refuses paths that lead out of the folder
	scanner *scanner
	broke   map[string]said // what failed in runs that were asked for, by folder
	render  sync.Mutex      // one page at a time

	mu      sync.Mutex
	index   Index
	encoded []byte         // index.json
	runs    map[string]Run // runs of the index by path
	changed chan struct{}  // closed at the next change
}

// said caches what failed in a run, with the signature of its files.
type said struct {
	files signature
	broke string
}

// Open returns the server of a folder. It fails if the folder is missing or unreadable.
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

// Index returns the result of the last scan.
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

// Update scans the folder once and notifies the followers if anything has changed. It must be
// called from one goroutine only.
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
		panic(err) // cannot fail: plain data
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

// brokeOf returns the first sentence of what failed in a run, as on its page.
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

// run returns a run of the last scan.
func (s *Server) run(path string) (Run, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	run, ok := s.runs[path]
	return run, ok
}

// now returns the index as JSON, and the channel that is closed when it changes.
func (s *Server) now() ([]byte, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.encoded, s.changed
}
