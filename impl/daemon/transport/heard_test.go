package transport

import (
	"log/slog"
	"testing"
	"time"
)

// pauses returns a dialler that pauses for an hour after its first attempt.
func pauses(t *testing.T, cfg Config) (*Transport, *recorder) {
	t.Helper()
	at := newRecorder()
	cfg.Log, cfg.Retry, cfg.RetryMax = slog.New(slog.NewTextHandler(newLog(), nil)), time.Hour, time.Hour
	dialler, err := New(cfg, at)
	if err != nil {
		t.Fatal(err)
	}
	run(t, dialler)
	for deadline := time.Now().Add(patience); dialler.Status().Retry.IsZero(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no attempt has ended within %v", patience)
		}
	}
	return dialler, at
}

// A peer that could not be reached is dialled as soon as it is heard.
func TestAPeerThatIsHeardIsDialledAtOnce(t *testing.T) {
	d, l := configs(t)
	dialler, at := pauses(t, d)
	start(t, l)
	dialler.PeerHeard()
	at.wait(t, "up 1")
}

// A peer that refuses is not dialled sooner because it is heard.
func TestAPeerThatRefusesIsNotDialledSooner(t *testing.T) {
	d, l := configs(t)
	d.Protocols = []string{"sync/9"}
	start(t, l)
	dialler, _ := pauses(t, d)
	dialler.PeerHeard()
	// A dialler that waited for the signal would have received it.
	if len(dialler.heard) != 1 {
		t.Errorf("the dialler has ended its pause: %v", dialler.Status().Last)
	}
	dialler.PeerHeard() // does not block
}

// A heartbeat that began before an attempt does not end the pause after it.
func TestAPeerThatWasHeardBeforeAnAttemptIsDialledOnce(t *testing.T) {
	d, _ := configs(t)
	d.Log, d.Retry, d.RetryMax = slog.New(slog.NewTextHandler(newLog(), nil)), time.Hour, time.Hour
	dialler, err := New(d, newRecorder())
	if err != nil {
		t.Fatal(err)
	}
	dialler.PeerHeard()
	run(t, dialler)
	for deadline := time.Now().Add(patience); dialler.Status().Retry.IsZero(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no attempt has ended within %v", patience)
		}
	}
	time.Sleep(50 * time.Millisecond) // many times as long as an attempt that the kernel refuses
	if ends := dialler.Status().Ends[Unreachable]; ends != 1 {
		t.Errorf("%d attempts, want 1", ends)
	}
}
