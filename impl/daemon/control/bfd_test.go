package control

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// spoken is a Speaker that remembers what it was asked, and refuses what a session called "gone" is asked for.
type spoken struct{ calls []string }

func (s *spoken) say(format string, args ...any) error {
	if s.calls = append(s.calls, fmt.Sprintf(format, args...)); strings.Contains(s.calls[len(s.calls)-1], "gone") {
		return errors.New("no session is called gone")
	}
	return nil
}

func (s *spoken) Status(context.Context) (BFDStatus, error) {
	return BFDStatus{Sessions: []BFDSession{{Name: "r1", State: "Up"}}}, s.say("status")
}
func (s *spoken) AdminDown(_ context.Context, session string, down bool) error {
	return s.say("down %s %v", session, down)
}
func (s *spoken) Intervals(_ context.Context, session string, tx, rx time.Duration) error {
	return s.say("intervals %s %v %v", session, tx, rx)
}
func (s *spoken) Demand(_ context.Context, session string, on bool) error {
	return s.say("demand %s %v", session, on)
}
func (s *spoken) Poll(_ context.Context, session string) error  { return s.say("poll %s", session) }
func (s *spoken) Reset(_ context.Context, session string) error { return s.say("reset %s", session) }
func (s *spoken) Stop(context.Context) error                    { return s.say("stop") }

// TestASpeakerIsAskedForWhatItsClientWants: each command with its arguments, and each refusal with its reason.
func TestASpeakerIsAskedForWhatItsClientWants(t *testing.T) {
	s := &spoken{}
	path := filepath.Join(t.TempDir(), "bfd.sock")
	server, err := ListenSpeaker(path, s)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); server.Serve(ctx) }()
	defer func() { cancel(); <-ended }()
	c := dial(t, path)
	if status, err := c.BFDStatus(ctx); err != nil || len(status.Sessions) != 1 || status.Sessions[0].Name != "r1" {
		t.Errorf("status: %+v, %v", status, err)
	}
	for want, err := range map[string]error{
		"down r1 true":           c.BFDAdminDown(ctx, "r1", true),
		"down r1 false":          c.BFDAdminDown(ctx, "r1", false),
		"intervals r1 20ms 30ms": c.BFDIntervals(ctx, "r1", 20*time.Millisecond, 30*time.Millisecond),
		"demand r1 true":         c.BFDDemand(ctx, "r1", true),
		"demand r1 false":        c.BFDDemand(ctx, "r1", false),
		"poll r1":                c.BFDPoll(ctx, "r1"),
		"reset r1":               c.BFDReset(ctx, "r1"),
	} {
		if err != nil || !slices.Contains(s.calls, want) {
			t.Errorf("%s: %v; the speaker was asked for %q", want, err, s.calls)
		}
	}
	var refused *Refused
	if err := c.BFDPoll(ctx, "gone"); !errors.As(err, &refused) || !strings.Contains(err.Error(), "no session is called gone") {
		t.Errorf("a session that is not there: %v", err)
	}
	var answer bfdResponse
	if err := c.exchange(ctx, "nonsense", []int{1}, &answer); err != nil || !strings.Contains(answer.Error, "not a JSON object") {
		t.Errorf("no object: %q, %v", answer.Error, err)
	}
	if err := c.exchange(ctx, "nonsense", bfdRequest{Command: "dance"}, &answer); err != nil || !strings.Contains(answer.Error, `unknown command "dance"`) {
		t.Errorf("no command: %q, %v", answer.Error, err)
	}
}
