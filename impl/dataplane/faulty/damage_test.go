package faulty

import (
	"strings"
	"testing"

	"baton/impl/flow"
)

// TestDamageIsDoneOnce to two flows, and proven by what the table then holds.
func TestDamageIsDoneOnce(t *testing.T) {
	d := wrapped(t)
	if err := d.Apply([]flow.Entry{entry(1), entry(2), entry(3)}); err != nil {
		t.Fatal(err)
	}
	seen, err := d.Break(MapDamaged)
	if err != nil || !strings.Contains(seen.Error(), "found true, sound false") || !strings.Contains(seen.Error(), "found false") {
		t.Errorf("proven by %v, %v", seen, err)
	}
	if err := d.Apply([]flow.Entry{entry(4)}); err != nil {
		t.Errorf("a write fails: %v", err)
	}
	if ended, err := d.Mend(); err != nil || len(ended) != 0 {
		t.Errorf("mended %v, %v", ended, err)
	}
}

// TestDamageNeedsTwoFlows: without them there is no receipt.
func TestDamageNeedsTwoFlows(t *testing.T) {
	d := wrapped(t)
	if err := d.Apply([]flow.Entry{entry(1)}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Break(MapDamaged); err == nil {
		t.Error("no error")
	}
}
