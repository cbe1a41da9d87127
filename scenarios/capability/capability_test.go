package capability

import (
	"os"
	"strings"
	"testing"
)

func TestEachCapabilityIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/subjects.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range All() {
		if !strings.Contains(string(text), "| `"+c.Name+"` | "+c.Doc+" |") {
			t.Errorf("docs/subjects.md does not describe %s as: %s", c.Name, c.Doc)
		}
	}
}
