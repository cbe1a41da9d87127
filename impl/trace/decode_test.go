package trace

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"baton/impl/flow"
)

var tuples = cmp.Comparer(func(a, b flow.Tuple) bool { return a == b })

// fill draws a value for every field that JSON carries.
func fill(t *rapid.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(rapid.StringMatching(`[ -!#-\[\]-~µ–]{0,12}`).Draw(t, "text"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, "int"))
	case reflect.Uint32:
		v.SetUint(uint64(rapid.Uint32().Draw(t, "uint32")))
	case reflect.Uint64:
		v.SetUint(rapid.Uint64Max(1e19-1).Draw(t, "uint64"))
	case reflect.Float64:
		v.SetFloat(rapid.Float64().Draw(t, "float"))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), rapid.IntRange(0, 3).Draw(t, "len"), 3))
		for i := range v.Len() {
			fill(t, v.Index(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("json") != "-" {
				fill(t, v.Field(i))
			}
		}
	default:
		t.Fatalf("this test cannot draw a %s", v.Kind())
	}
}

// TestTheDecoderKnowsEveryField: it decodes every event that Write writes without encoding/json,
// and with the same result.
func TestTheDecoderKnowsEveryField(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var e Event
		fill(t, reflect.ValueOf(&e).Elem())
		var line bytes.Buffer
		if err := Write(&line, []Event{e}); err != nil {
			t.Fatal(err)
		}
		quick, ok := NewDecoder().quick(bytes.TrimSuffix(line.Bytes(), []byte("\n")))
		if !ok {
			t.Fatalf("left to encoding/json: %s", line.Bytes())
		}
		var want Event
		if err := json.Unmarshal(line.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, quick, tuples); diff != "" {
			t.Fatal(diff)
		}
	})
}

// FuzzDecode: if the decoder accepts a line, its result is that of encoding/json.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"t":1,"kind":"role","node":"lb1","role":{"from":"Backup","to":"Master","gates":["a","b"]}}`,
		`{"t":-1,"kind":"sync","sync":{"percent":1.5e3,"lag":18446744073709551615}}`,
		`{"t":1,"t":2,"role":{"from":"a"},"role":{"to":"b"}}`,
		`{"t":01}`, `{"t":null,"note":"\u003c"}`, `{"T":1}`, `{"unknown":{}}`, ` {}`, `{}x`, `[]`, `{"sync":{"percent":0x1p3}}`,
		`{"sync":{"percent":-}}`, `{"sync":{"percent":1.e5}}`, `{"meta":{"detect":"1h","origin":{"set":[]}}}`, `{"meta":{"version":-0}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		quick, ok := NewDecoder().quick(line)
		if !ok {
			return
		}
		var want Event
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatalf("accepted %s, but encoding/json fails: %v", line, err)
		}
		if diff := cmp.Diff(want, quick, tuples); diff != "" {
			t.Fatal(diff)
		}
	})
}
