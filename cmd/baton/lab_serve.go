package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"baton/impl/trace"
	"baton/netns"
	"baton/scenarios"
	"baton/scenarios/check"
	"baton/scenarios/lab"
	"baton/scenarios/plan"
)

// labSocket, in the lab's folder, is the socket on which a running lab takes requests.
const labSocket = "lab.sock"

// labRequest asks a running lab for a fault, written as in a scenario, or for its state
// if it is empty.
type labRequest struct {
	Fault string `json:"fault,omitempty"`
}

// labAnswer is the answer to a labRequest.
type labAnswer struct {
	Lines   []string `json:"lines,omitempty"`
	Refused string   `json:"refused,omitempty"` // what is wrong with the request
	Failed  string   `json:"failed,omitempty"`  // what went wrong with the fault
}

// labServer executes requests on a running world.
type labServer struct {
	world     *netns.World
	recording *scenarios.Recording
	plan      *plan.Plan
	board     *board
	began     time.Time
	running   context.Context // ends with the lab

	mu      sync.Mutex // one request at a time
	history []string   // the steps that were taken, as lines of a scenario
	faults  []trace.Event
	seen    sync.Mutex // of faults
}

// serveLab listens until ctx ends.
func serveLab(ctx context.Context, dir string, world *netns.World, recording *scenarios.Recording, p *plan.Plan) error {
	s := &labServer{world: world, recording: recording, plan: p, board: newBoard(), began: time.Now(), running: ctx}
	recording.Follow(s.record)
	s.history = past(recording.Events())
	path := filepath.Join(dir, labSocket)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("lab: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(fmt.Errorf("lab: %w", err), listener.Close())
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go s.serve(connection)
		}
	}()
	return nil
}

// labStart is the scenario time at which the lab's own steps begin; earlier faults stand before it.
const labStart = time.Hour

// past returns the faults that were already injected, as lines of a scenario.
func past(events []trace.Event) []string {
	var lines []string
	for _, e := range events {
		if e.Fault != nil && e.Fault.Phase == "begin" {
			lines = append(lines, fmt.Sprintf("@%dms %s", len(lines), e.Fault.What()))
		}
	}
	return lines
}

func (s *labServer) record(e trace.Event) {
	s.board.record(e)
	if e.Fault != nil {
		s.seen.Lock()
		defer s.seen.Unlock()
		s.faults = append(s.faults, e)
	}
}

// serve answers one request.
func (s *labServer) serve(connection net.Conn) {
	defer connection.Close()
	var request labRequest
	if json.NewDecoder(connection).Decode(&request) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := labAnswer{}
	if request.Fault == "" {
		s.recording.View(func(state *check.State) { answer.Lines = s.board.lines(state) })
	} else {
		answer = s.fault(request.Fault)
	}
	_ = json.NewEncoder(connection).Encode(answer) // the client may have closed the connection
}

// fault executes a line of a scenario at once, and later steps of it at their times.
func (s *labServer) fault(line string) labAnswer {
	steps, refused := s.parse(line)
	if refused != "" {
		return labAnswer{Refused: refused}
	}
	s.seen.Lock()
	before := len(s.faults)
	s.seen.Unlock()
	began := time.Now()
	first := steps[0].At
	rest := slices.IndexFunc(steps, func(step plan.Step) bool { return step.At > first })
	if rest < 0 {
		rest = len(steps)
	}
	if err := s.do(steps[:rest], began, first); err != nil {
		return labAnswer{Failed: err.Error()}
	}
	go func() {
		if err := s.do(steps[rest:], began, first); err != nil && s.running.Err() == nil {
			fmt.Fprintln(os.Stderr, "baton: lab:", err)
		}
	}()
	answer := labAnswer{Lines: s.receipts(before)}
	for _, step := range steps[rest:] {
		answer.Lines = append(answer.Lines, fmt.Sprintf("in %v: %s", step.At-first, step))
	}
	return answer
}

// do executes steps at their times. The time first of the script corresponds to began.
func (s *labServer) do(steps []plan.Step, began time.Time, first time.Duration) error {
	for _, step := range steps {
		timer := time.NewTimer(time.Until(began.Add(step.At - first)))
		select {
		case <-timer.C:
		case <-s.running.Done():
			timer.Stop()
			return context.Cause(s.running)
		}
		if err := s.world.Do(s.running, *step.Fault); err != nil {
			return err
		}
	}
	return s.world.Settle(s.running)
}

// receipts lists the receipts of the faults recorded from an index on.
func (s *labServer) receipts(from int) []string {
	s.seen.Lock()
	defer s.seen.Unlock()
	var lines []string
	for _, e := range s.faults[from:] {
		if e.Fault.Phase != "begin" {
			lines = append(lines, fmt.Sprintf("%s: %s: %s", e.Fault.What(), e.Fault.Phase, e.Fault.Receipt))
		}
	}
	return lines
}

// parse reads a fault as the next step of the scenario that the lab has executed so far.
// An impossible fault is refused with the message of lint.
func (s *labServer) parse(line string) (steps []plan.Step, refused string) {
	if strings.ContainsAny(line, "\n#{}") {
		return nil, "a fault is one line of a scenario"
	}
	at := labStart + time.Since(s.began).Round(time.Millisecond)
	next := fmt.Sprintf("@%dms %s", at.Milliseconds(), line)
	head := s.head()
	text := append(append(slices.Clone(head), s.history...), next, fmt.Sprintf("@%dms end", (at+24*time.Hour/2).Milliseconds()))
	p, found := plan.Check("lab", []byte(strings.Join(text, "\n")+"\n"))
	own := len(head) + len(s.history) + 1
	for _, step := range p.Steps {
		if step.Pos.Line == own && step.Fault == nil {
			return nil, step.Verb + " is no fault"
		}
		if step.Pos.Line == own {
			steps = append(steps, step)
		}
	}
	for _, d := range found {
		if d.Severity == plan.Error && d.Pos.Line == own {
			return nil, d.Said()
		}
	}
	if len(steps) == 0 {
		return nil, fmt.Sprintf("%q is no fault", line)
	}
	s.history = append(s.history, next)
	return steps, ""
}

// head returns the declarations of the scenario on which faults depend.
func (s *labServer) head() []string {
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(plan.Print(s.plan)), "\n") {
		if word, _, _ := strings.Cut(line, " "); slices.Contains([]string{"scenario", "topo", "service"}, word) {
			lines = append(lines, line)
		}
	}
	return append(lines, "always masters <= "+fmt.Sprint(len(lab.Nodes())-1))
}

// askLab sends a request to the lab of a folder and prints the answer.
func askLab(dir string, request labRequest) error {
	if _, err := readLab(dir); err != nil {
		return err
	}
	connection, err := net.Dial("unix", filepath.Join(dir, labSocket))
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	defer connection.Close()
	if err := json.NewEncoder(connection).Encode(request); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	var answer labAnswer
	if err := json.NewDecoder(connection).Decode(&answer); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	for _, line := range answer.Lines {
		fmt.Println(line)
	}
	switch {
	case answer.Refused != "":
		return badInput("lab: %s", answer.Refused)
	case answer.Failed != "":
		return fmt.Errorf("lab: %s", answer.Failed)
	}
	return nil
}
