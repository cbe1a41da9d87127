package trace

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestTheSchemaIsDocumented: docs/trace.md says which version this is, and has a row for each
// kind of event that names all of its fields.
func TestTheSchemaIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/trace.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("version %d", Version); !strings.Contains(string(text), want) {
		t.Errorf("docs/trace.md does not say that it is about %s", want)
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
				t.Errorf("docs/trace.md says nothing of the field %s of %s", part, kind)
			}
		}
	}
	if seen < 15 {
		t.Errorf("%d kinds seen; the test has lost its subject", seen)
	}
}

// name is a field's name in JSON, "" if it has none.
func name(f reflect.StructField) string {
	tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return strings.TrimPrefix(tag, "-")
}

// rows are the lines of a table about a kind.
func rows(text, kind string) (found string) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "| `"+kind+"` |") {
			found += line
		}
	}
	return found
}
