package trace

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestTheSchemaIsDocumented: docs/trace.md names the version, and has rows for each kind of event
// that name all of its fields.
func TestTheSchemaIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/trace.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("version %d", Version); !strings.Contains(string(text), want) {
		t.Errorf("docs/trace.md does not name %s", want)
	}
	event := reflect.TypeFor[Event]()
	seen := 0
	for i := range event.NumField() {
		field := event.Field(i)
		kind := name(field)
		if field.Type.Kind() != reflect.Pointer {
			continue // t, kind, node, note
		}
		seen++
		row := rows(string(text), kind)
		if row == "" {
			t.Errorf("docs/trace.md has no row for %s", kind)
			continue
		}
		for j := range field.Type.Elem().NumField() {
			if part := name(field.Type.Elem().Field(j)); part != "" && !strings.Contains(row, "`"+part+"`") {
				t.Errorf("docs/trace.md: the row of %s does not name the field %s", kind, part)
			}
		}
	}
	if seen < 18 {
		t.Errorf("only %d kinds found in Event", seen)
	}
}

// name returns a field's name in JSON, "" if it has none.
func name(f reflect.StructField) string {
	tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return strings.TrimPrefix(tag, "-")
}

// rows returns the table rows of a kind.
func rows(text, kind string) (found string) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "| `"+kind+"` |") {
			found += line
		}
	}
	return found
}
