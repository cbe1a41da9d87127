// Package fieldtest checks that a struct's fingerprint covers all of its fields, and that its
// copy does too and shares none. Only tests import it.
package fieldtest

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"baton/impl/clock"
	"baton/impl/fingerprint"
)

// Now is the instant at which states are hashed. The zero Instant is in its past.
const Now = clock.Instant(time.Hour)

// Fingerprint changes the fields of the struct one by one, down to numbers and strings. It fails
// if the fingerprint does not change with each. It skips the fields that immaterial lists
// ("field", or "field.inner" in a struct). In state, each other slice and map must have an
// element and no other pointer may be nil.
func Fingerprint[T any](t *testing.T, state *T, hash func(*T, *fingerprint.Hash), immaterial ...string) {
	t.Helper()
	w := walk{immaterial: immaterial, used: map[string]bool{}}
	sum := func() uint64 {
		h := fingerprint.New(Now, 60*time.Millisecond)
		hash(state, h)
		return h.Sum(true)
	}
	before := sum()
	w.leaves(reflect.ValueOf(state).Elem(), "", func(path string, v reflect.Value) {
		old := reflect.New(v.Type()).Elem()
		old.Set(v)
		alter(v)
		if sum() == before {
			t.Errorf("%T.%s does not change the fingerprint: add it, or list it as immaterial", *state, path)
		}
		v.Set(old)
		if sum() != before {
			t.Fatalf("%T.%s: two fingerprints of the same state differ", *state, path)
		}
	})
	for _, path := range immaterial {
		if !w.used[path] {
			t.Errorf("%T has no field %s: remove it from the list", *state, path)
		}
	}
}

// Clone fails if the copy of a state differs from it, or if a change of the copy's fields changes
// the original. It skips the fields named in apart.
func Clone[T any](t *testing.T, state *T, clone func(*T) *T, apart ...string) {
	t.Helper()
	copied := clone(state)
	w := walk{immaterial: apart, used: map[string]bool{}}
	want := w.texts(reflect.ValueOf(state).Elem())
	for path, text := range w.texts(reflect.ValueOf(copied).Elem()) {
		if want[path] != text {
			t.Errorf("%T.%s is %s in the copy and %s in the original", *state, path, text, want[path])
		}
	}
	if got := w.texts(reflect.ValueOf(copied).Elem()); len(got) != len(want) {
		t.Errorf("%T: the copy has %d fields, the original %d", *state, len(got), len(want))
	}
	w.leaves(reflect.ValueOf(copied).Elem(), "", func(_ string, v reflect.Value) {
		if v.Kind() == reflect.Map {
			v.Clear()
			return
		}
		alter(v)
	})
	for path, text := range w.texts(reflect.ValueOf(state).Elem()) {
		if want[path] != text {
			t.Errorf("%T.%s is shared with the copy", *state, path)
		}
	}
}

type walk struct {
	immaterial []string
	used       map[string]bool
}

func (w *walk) texts(v reflect.Value) map[string]string {
	all := map[string]string{}
	w.leaves(v, "", func(path string, v reflect.Value) { all[path] = text(v) })
	return all
}

func text(v reflect.Value) string {
	if v.Kind() == reflect.String {
		return v.String()
	}
	return strings.TrimSpace(reflect.Indirect(v).String()) + " " + number(v)
}

func number(v reflect.Value) string {
	switch {
	case v.CanInt():
		return time.Duration(v.Int()).String()
	case v.CanUint():
		return time.Duration(v.Uint()).String()
	case v.Kind() == reflect.Bool && v.Bool():
		return "true"
	case v.Kind() == reflect.Map:
		return strconv.Itoa(v.Len())
	}
	return ""
}

// leaves calls f with every boolean, number, string and map below v, except immaterial fields.
// It visits the first element of each array and slice.
func (w *walk) leaves(v reflect.Value, path string, f func(string, reflect.Value)) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			inner := strings.TrimPrefix(path+"."+v.Type().Field(i).Name, ".")
			if slices.Contains(w.immaterial, inner) {
				w.used[inner] = true
				continue
			}
			field := v.Field(i)
			w.leaves(reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem(), inner, f)
		}
	case reflect.Slice, reflect.Array:
		if v.Len() > 0 {
			w.leaves(v.Index(0), path, f)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			w.leaves(v.Elem(), path, f)
		}
	case reflect.Interface, reflect.Func, reflect.Chan:
	default:
		f(path, v)
	}
}

// alter changes a value.
func alter(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[clock.Instant]():
		v.SetInt(int64(Now.Add(100 * time.Millisecond))) // in the future; the zero Instant is in the past
	case v.Kind() == reflect.Bool:
		v.SetBool(!v.Bool())
	case v.Kind() == reflect.String:
		v.SetString(v.String() + "!")
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case v.CanInt():
		v.SetInt(v.Int() + 1)
	case v.CanUint():
		v.SetUint(v.Uint() + 1)
	}
}
