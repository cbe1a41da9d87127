package traffic

import "testing"

func TestSoftnetDropsAreTheSecondColumn(t *testing.T) {
	const two = "00274a6c 0000000a 00000003 00000000\n002d8cc0 00000100 00000001 00000000\n"
	if got, err := parseSoftnet([]byte(two)); err != nil || got != 0x10a {
		t.Errorf("got %d, %v; want %d", got, err, 0x10a)
	}
	for _, bad := range []string{"00274a6c\n", "00274a6c zz\n", "\n"} {
		if got, err := parseSoftnet([]byte(bad)); err == nil {
			t.Errorf("%q: accepted as %d", bad, got)
		}
	}
	if _, err := hostDrops(); err != nil {
		t.Errorf("this machine: %v", err)
	}
}
