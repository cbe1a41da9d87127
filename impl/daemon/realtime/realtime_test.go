package realtime

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// childEnv makes this test binary a process that prepares itself and prints the result.
const childEnv = "BATON_TEST_REALTIME"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child prints the policy and priority of each thread, including a later one and the
// loop's.
func child() {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	Process(log)
	Threads(log)
	hold, ready := make(chan struct{}), make(chan struct{})
	thread := func(prepare func()) {
		go func() {
			runtime.LockOSThread()
			prepare()
			ready <- struct{}{}
			<-hold
		}()
		<-ready
	}
	for range 8 {
		thread(func() {})
	}
	thread(func() { LoopThread(log) })
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		panic(err)
	}
	for _, task := range tasks {
		var tid int
		fmt.Sscan(task.Name(), &tid)
		attr, err := unix.SchedGetAttr(tid, 0)
		if errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			panic(err)
		}
		fmt.Printf("%d/%d\n", attr.Policy, attr.Priority)
	}
	close(hold)
}

// run runs the child as a user and returns its threads and its log.
func run(t *testing.T, uid uint32) (threads []string, log string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: real-time scheduling")
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	return strings.Fields(string(out)), stderr.String()
}

func TestEveryThreadIsRealTimeAndTheLoopAboveThem(t *testing.T) {
	threads, log := run(t, 0)
	if log != "" {
		t.Errorf("as root something was refused:\n%s", log)
	}
	counts := map[string]int{}
	for _, thread := range threads {
		counts[thread]++
	}
	others, loop := fmt.Sprintf("%d/%d", unix.SCHED_FIFO, othersPriority), fmt.Sprintf("%d/%d", unix.SCHED_FIFO, loopPriority)
	if counts[others] < 8 || counts[loop] != 1 || len(counts) != 2 {
		t.Errorf("threads by policy/priority %v, want one %s and the others %s", counts, loop, others)
	}
}

func TestARefusalIsLoggedAndSurvived(t *testing.T) {
	_, log := run(t, 65534)
	for _, want := range []string{"no real-time scheduling", "the event loop has no raised priority"} {
		if strings.Count(log, want) != 1 {
			t.Errorf("the log does not say %q once:\n%s", want, log)
		}
	}
}

// scheduled returns the policy and priority of the calling thread.
func scheduled(t *testing.T) string {
	t.Helper()
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d/%d", attr.Policy, attr.Priority)
}

// The priority lasts until the last of several harnesses has ended. A function under Ordinarily runs
// without it; the thread has it again afterwards, even if the function failed.
func TestTheHarnessHasItsPriorityUntilTheLastEnds(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: real-time scheduling")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	raised, ordinary := fmt.Sprintf("%d/%d", unix.SCHED_RR, harnessPriority), fmt.Sprintf("%d/0", unix.SCHED_NORMAL)
	var ends []func()
	defer func() { // later tests run without priority even after a failure
		for _, end := range ends {
			end()
		}
	}()
	for range 2 {
		end, err := Harness()
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, end)
	}
	failure := errors.New("not started")
	during := ""
	if err := Ordinarily(func() error { during = scheduled(t); return failure }); !errors.Is(err, failure) {
		t.Errorf("%v, want %v", err, failure)
	}
	if during != ordinary {
		t.Errorf("what runs ordinarily has %s, want %s", during, ordinary)
	}
	for _, want := range []string{raised, ordinary} {
		if got := scheduled(t); got != raised {
			t.Errorf("while a harness runs its thread has %s, want %s", got, raised)
		}
		ends[0]()
		ends = ends[1:]
		if got := scheduled(t); got != want {
			t.Errorf("with %d harnesses left the thread has %s, want %s", len(ends), got, want)
		}
	}
}
