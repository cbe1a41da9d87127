package daemon

import (
	"errors"
	"net"
	"testing"
	"time"

	"baton/impl/daemon/garp"
)

// TestAHardwareAddressThatIsNotTakenOverIsCounted: once for the dataplane's refusal, and
// once for the failed announcement.
func TestAHardwareAddressThatIsNotTakenOverIsCounted(t *testing.T) {
	b := newBench(t, every(50*time.Millisecond, 3))
	none, err := garp.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{loop: b.loop, garp: none}
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 7}
	d.setMAC("client0", mac)
	if counts := b.failures.snapshot(); len(counts) != 0 {
		t.Fatalf("failures %v before any", counts)
	}
	b.dp.macFails = errors.New("no such device")
	for range 2 {
		d.setMAC("client0", mac)
	}
	if got := b.failures.snapshot()[callSetMAC]; got != 2 {
		t.Errorf("%d failures are counted, want 2", got)
	}
}
