package metric

import (
	"slices"
	"testing"
)

// TestTheTableIsComplete: every row has a unique name, a check and a description, and every
// column has one metric.
func TestTheTableIsComplete(t *testing.T) {
	seen, columns := map[string]bool{}, map[int]string{}
	for _, m := range All() {
		if seen[m.Name] || m.Check == "" || m.Doc == "" {
			t.Errorf("%s: duplicate, or without check or description", m.Name)
		}
		seen[m.Name] = true
		if other := columns[m.Rank]; m.Rank > 0 && other != "" {
			t.Errorf("%s and %s share column %d", m.Name, other, m.Rank)
		}
		columns[m.Rank] = m.Name
		if m.Summary && m.Rank == 0 {
			t.Errorf("%s is in the short table, but not in the long one", m.Name)
		}
	}
}

func TestColumns(t *testing.T) {
	var got []string
	for _, m := range Columns() {
		got = append(got, m.Column())
	}
	want := []string{"detect ms", "takeover ms", "handover ms", "udp gap ms", "tcp stall p50 ms", "RST", "lost", "sync ms"}
	if !slices.Equal(got, want) {
		t.Errorf("columns %q, want %q", got, want)
	}
}
