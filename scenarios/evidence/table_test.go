package evidence

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A stored table can be read back, even if cells are empty or contain spaces.
func TestATableIsReadAsItWasStored(t *testing.T) {
	dir := t.TempDir()
	flows := []Flow{
		{Original: "tcp 198.18.0.11:1>198.18.0.100:80", Reply: "tcp 198.18.1.11:80>198.18.1.100:2", State: "established", Origin: "synced", Remaining: 2*time.Hour + 945*time.Millisecond},
		{Original: "udp 198.18.0.11:1>198.18.0.100:80", State: "half open", Remaining: -time.Second},
	}
	s := NewStore(dir)
	if err := s.PutTable(Connections{Node: "lb1", When: "the end  reply  state", Total: 2, Flows: flows}, Ask{Limit: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	got, err := ReadTable(dir, File{File: "../" + TableFile("lb1")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(flows, got); diff != "" {
		t.Error(diff)
	}
}

// A damaged table yields the flows before the damage.
func TestADamagedTableKeepsTheFlowsBefore(t *testing.T) {
	const head = "# table\n# original  reply  state  origin  remaining\n"
	for text, want := range map[string]int{
		"":             0,
		"tcp a  tcp b": 0,
		head + "tcp a       b      c      d       1s\nx\n":                                    1,
		head + "tcp a       b      c      d       1s\ntcp a       b      c      d       soon": 1,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "t"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		flows, err := ReadTable(dir, File{File: "t"})
		if len(flows) != want || (err == nil) != (text == "") {
			t.Errorf("%q: %v, %v", text, flows, err)
		}
	}
	if _, err := ReadTable(t.TempDir(), File{File: "gone"}); err == nil {
		t.Error("a table that is gone was read")
	}
}
