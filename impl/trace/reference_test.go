package trace

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// docs/trace.md lists every kind of event with all its fields.
func TestReference(t *testing.T) {
	page, err := os.ReadFile("../../docs/trace.md")
	if err != nil {
		t.Fatal(err)
	}
	event, seen := reflect.TypeFor[Event](), 0
	for i := range event.NumField() {
		f := event.Field(i)
		if f.Type.Kind() != reflect.Pointer || f.Type.Elem().Kind() != reflect.Struct {
			continue
		}
		seen++
		kind := jsonName(f)
		row := ""
		for line := range strings.Lines(string(page)) {
			if strings.HasPrefix(line, "| `"+kind+"` |") {
				row += line
			}
		}
		if row == "" {
			t.Errorf("docs/trace.md has no row for %s", kind)
			continue
		}
		for j := range f.Type.Elem().NumField() {
			if name := jsonName(f.Type.Elem().Field(j)); name != "-" && !strings.Contains(row, "`"+name+"`") {
				t.Errorf("docs/trace.md: the row of %s does not name %s", kind, name)
			}
		}
	}
	if seen < 18 {
		t.Fatalf("%d kinds with fields: the test has lost its subject", seen)
	}
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}
