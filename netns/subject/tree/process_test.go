package tree

import "testing"

// TestADaemonKeepsItsPid: it is known by it when it executes another program, and so are its children.
func TestADaemonKeepsItsPid(t *testing.T) {
	start := []process{{9, 1, "sh"}}
	for line, run := range map[string]bool{
		"9 (sleep) S 1 9 9 0":        false,
		"12 (keepalived_vrrp) S 9 9": false,
		"12 (sleep) S 1 9 9 0":       true,
		"12 (a ) b) R 1 9 9 0":       true,
	} {
		p, runs := readStat(line)
		if !runs || descends(p, start) == run {
			t.Errorf("%s: %+v, runs %t, of run %t", line, p, runs, !descends(p, start))
		}
	}
	if p, _ := readStat("12 (a ) b) R 1 9 9 0"); p.String() != "a ) b (process 12)" {
		t.Errorf("it is named %s", p)
	}
	for _, line := range []string{"9 (sleep) Z 1 9", "9 (sleep)", "9", "9 )("} {
		if p, runs := readStat(line); runs {
			t.Errorf("%q: %+v runs", line, p)
		}
	}
}
