package poller

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
	"baton/impl/clock/boottime"
)

// suspended is how far CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC where the test runs.
const suspended = 1000 * time.Second

// asleepEnv makes the test binary the process that runs there.
const asleepEnv = "BATON_TEST_ASLEEP"

// TestClocksAndTimersCountASuspend: in a time namespace whose CLOCK_BOOTTIME is ahead of its
// CLOCK_MONOTONIC, as after a suspend, instants are of the former, and so are deadlines.
func TestClocksAndTimersCountASuspend(t *testing.T) {
	if os.Getenv(asleepEnv) != "" {
		if err := wakeInTime(); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := boottime.CheckHost(); err != nil {
		t.Error(err)
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: a time namespace")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	there := exec.Command("unshare", "--time", "--boottime", fmt.Sprint(suspended.Seconds()), "--fork",
		self, "-test.run", "^TestClocksAndTimersCountASuspend$", "-test.timeout", "10s")
	there.Env = append(os.Environ(), asleepEnv+"=1")
	if out, err := there.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// wakeInTime runs in the namespace. A timer of another clock than the instants' would
// not fire before the test's timeout, or would at once.
func wakeInTime() error {
	var monotonic unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &monotonic); err != nil {
		return err
	}
	if ahead := boottime.Now().Sub(clock.Instant(monotonic.Nano())); ahead < suspended {
		return fmt.Errorf("instants are %v ahead of CLOCK_MONOTONIC, want %v at least", ahead, suspended)
	}
	if boottime.CheckHost() == nil {
		return errors.New("a time namespace that moves the clock passes for the host's")
	}
	p, err := New()
	if err != nil {
		return err
	}
	defer p.Close()
	deadline := boottime.Now().Add(5 * time.Millisecond)
	if err := p.Wait(deadline); err != nil {
		return err
	}
	if now := boottime.Now(); now < deadline {
		return fmt.Errorf("woke %v before the deadline", deadline.Sub(now))
	}
	return nil
}
