package serve

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path"
	"strings"
	"syscall"
	"time"

	"baton/reports"
	"baton/reports/load"
	"baton/reports/page"
	"baton/scenarios/evidence"
)

var (
	//go:embed web/live.js
	liveScript string
	//go:embed web/index.css
	indexStyle string
)

// policy is the content security policy of the index.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'"

// filePolicy applies to files of runs: a browser executes nothing in them.
const filePolicy = "default-src 'none'; sandbox"

// beat is the interval of writes to an idle event stream. They detect dead connections.
const beat = 15 * time.Second

// followersMost limits the number of concurrent event streams.
const followersMost = 100

// Handler returns the HTTP handler.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.serveIndex)
	mux.HandleFunc("GET /index.json", s.serveFacts)
	mux.HandleFunc("GET /events", s.follow(make(chan struct{}, followersMost)))
	mux.HandleFunc("GET /live.js", constant(liveScript, "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /index.css", constant(page.Style()+indexStyle, "text/css; charset=utf-8"))
	mux.HandleFunc("GET /runs/{path...}", s.serveRun)
	return s.guarded(mux)
}

// guarded refuses requests with a foreign host name (DNS rebinding), and sets the headers that
// every response has.
func (s *Server) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.knows(r.Host) {
			http.Error(w, "this server does not answer to that name", http.StatusForbidden)
			return
		}
		for name, value := range map[string]string{"Content-Security-Policy": policy + "; frame-ancestors 'none'", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store"} {
			w.Header().Set(name, value)
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) knows(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	_, err := netip.ParseAddr(host)
	return err == nil || host == "localhost" || s.options.Host != "" && strings.EqualFold(host, s.options.Host)
}

func constant(text, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = io.WriteString(w, text)
	}
}

func (s *Server) serveIndex(w http.ResponseWriter, _ *http.Request) {
	var body bytes.Buffer
	if err := indexPage.Execute(&body, s.Index()); err != nil {
		failed(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(body.Bytes())
}

func (s *Server) serveFacts(w http.ResponseWriter, _ *http.Request) {
	facts, _ := s.now()
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(facts)
}

// follow sends a server-sent event when the index has changed.
func (s *Server) follow(followers chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case followers <- struct{}{}:
			defer func() { <-followers }()
		default:
			http.Error(w, "too many browsers follow", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		out := http.NewResponseController(w)
		said := ": baton\n\n"
		_, changed := s.now()
		for {
			if _, err := fmt.Fprint(w, said); err != nil || out.Flush() != nil {
				return
			}
			select {
			case <-r.Context().Done():
				return
			case <-changed:
				_, changed = s.now()
				said = "event: change\ndata:\n\n"
			case <-time.After(beat):
				said = ": baton\n\n"
			}
		}
	}
}

// serveRun serves the page of a run, or one of its files. It only opens folders that a scan has
// found.
func (s *Server) serveRun(w http.ResponseWriter, r *http.Request) {
	dir, name := path.Split(r.PathValue("path"))
	run, ok := s.run(path.Clean(dir))
	switch {
	case !ok:
		http.NotFound(w, r)
	case name == "":
		s.servePage(w, run)
	default:
		s.serveFile(w, r, run, name)
	}
}

// servePage renders a run beside the last passing run before it.
func (s *Server) servePage(w http.ResponseWriter, run Run) {
	if run.size > shownMost {
		http.Error(w, fmt.Sprintf("The trace of this run has %d bytes, too many to show here. baton report reads it.", run.size), http.StatusRequestEntityTooLarge)
		return
	}
	s.render.Lock()
	defer s.render.Unlock()
	dirs := []string{run.dir}
	if before, ok := s.passedBefore(run); ok && before.size <= shownMost {
		dirs = append(dirs, before.dir)
	}
	var axes reports.Axes
	suite := reports.BuildRuns(dirs, axes.Visit)
	var body bytes.Buffer
	if err := axes.Write(&body, suite, run.dir); err != nil {
		failed(w, err)
		return
	}
	w.Header().Set("Content-Security-Policy", page.Policy()+"; frame-ancestors 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(body.Bytes())
}

func (s *Server) passedBefore(run Run) (Run, bool) {
	for _, h := range s.Index().Scenarios {
		if before, ok := h.passedBefore(run.Path); ok {
			return before, true
		}
	}
	return Run{}, false
}

// serveFile serves a file of a run or of its evidence.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request, run Run, name string) {
	if !belongs(run.dir, name) {
		http.NotFound(w, r)
		return
	}
	file := path.Join(run.Path, name)
	if info, err := s.files.Lstat(file); err != nil || !info.Mode().IsRegular() {
		http.NotFound(w, r)
		return
	}
	// The file may have been replaced by a pipe; opening it must not block.
	f, err := s.files.OpenFile(file, syscall.O_NONBLOCK, 0)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		http.NotFound(w, r)
		return
	}
	kind := "text/plain; charset=utf-8"
	if strings.HasSuffix(name, ".pcapng") {
		kind = "application/x-pcapng"
		w.Header().Set("Content-Disposition", "attachment")
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Security-Policy", filePolicy)
	http.ServeContent(w, r, "", info.ModTime(), f)
}

// belongs reports whether a run writes files with this name.
func belongs(dir, name string) bool {
	switch name {
	case load.TraceFile, load.ResultFile, load.ScenarioFile, evidence.ManifestFile:
		return true
	}
	m, err := evidence.Read(dir)
	if err != nil || !fs.ValidPath(name) {
		return false
	}
	for _, f := range m.Files {
		if f.File == name {
			return true
		}
	}
	return false
}

func failed(w http.ResponseWriter, err error) {
	slog.Error("serve: render", "error", err)
	http.Error(w, "the page cannot be rendered; the server's log says why", http.StatusInternalServerError)
}
