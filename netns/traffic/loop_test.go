package traffic

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"

	"baton/impl/clock"
)

// recorder is a handler that counts its calls and runs a function.
type recorder struct {
	calls int
	do    func()
}

func (r *recorder) ready(clock.Instant, uint32) {
	r.calls++
	if r.do != nil {
		r.do()
	}
}

func pipe(t *testing.T) (read, write int) {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	return fds[0], fds[1]
}

// A handler may close a descriptor, which is then reopened with the same number before the
// old one's event of the same batch is handled.
func TestStaleEventDoesNotReachTheNextOwnerOfADescriptor(t *testing.T) {
	l, err := newLoop(nil)
	if err != nil {
		t.Fatal(err)
	}
	firstRead, firstWrite := pipe(t)
	secondRead, secondWrite := pipe(t)
	fresh := &recorder{}
	// The handler that runs first replaces the other.
	replace := func(own, other int) func() {
		return func() {
			var b [1]byte
			_, _ = unix.Read(own, b[:])
			l.drop(other)
			read, write := pipe(t)
			t.Cleanup(func() { unix.Close(write) })
			if read != other {
				t.Errorf("descriptor %d was not reused but %d given", other, read)
			}
			if err := l.add("", read, unix.EPOLLIN, fresh); err != nil {
				t.Error(err)
			}
		}
	}
	for _, p := range []struct{ read, write, other int }{{firstRead, firstWrite, secondRead}, {secondRead, secondWrite, firstRead}} {
		if err := l.add("", p.read, unix.EPOLLIN, &recorder{do: replace(p.read, p.other)}); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Write(p.write, []byte{1}); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(p.write)
	}
	go l.run()
	l.call(func() {})
	l.call(func() {})
	l.stop()
	if fresh.calls != 0 {
		t.Errorf("the new owner of the descriptor was called %d times for an event of the old one", fresh.calls)
	}
}

func TestOutboxKeepsOrderWhenTheSocketIsFull(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	if err := unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_SNDBUF, 4096); err != nil {
		t.Fatal(err)
	}
	var o outbox
	var want, got []byte
	blockedOnce := false
	for i := range 1000 {
		b := bytes.Repeat([]byte{byte(i)}, requestLen)
		want = append(want, b...)
		blocked, err := o.write(kernelStream(fds[0]), b)
		if err != nil {
			t.Fatal(err)
		}
		blockedOnce = blockedOnce || blocked
	}
	if !blockedOnce {
		t.Fatal("the socket took everything; the test proves nothing")
	}
	buf := make([]byte, 1500)
	for len(got) < len(want) {
		n, err := unix.Read(fds[1], buf)
		if err != nil {
			t.Fatalf("after %d of %d bytes: %v", len(got), len(want), err)
		}
		got = append(got, buf[:n]...)
		if _, err := o.flush(kernelStream(fds[0])); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, want) {
		t.Error("bytes came out in another order")
	}
}
