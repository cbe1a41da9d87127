package explore

import "reflect"

// types remembers of each type of the core what copying and hashing ask of it.
type types struct {
	plain  map[reflect.Type]bool // holds no reference to anything mutable
	fields map[reflect.Type][]field
}

// field is one that is part of a state's fingerprint.
type field struct {
	index int
	name  string
}

func newTypes() types {
	return types{plain: map[reflect.Type]bool{}, fields: map[reflect.Type][]field{}}
}

// material lists the fields of a struct that are part of the state.
func (t types) material(of reflect.Type) []field {
	fields, known := t.fields[of]
	if known {
		return fields
	}
	for i := range of.NumField() {
		if name := of.Field(i).Name; !immaterial[name] {
			fields = append(fields, field{i, name})
		}
	}
	t.fields[of] = fields
	return fields
}

// isPlain reports whether an assignment copies all of a value.
func (t types) isPlain(of reflect.Type) bool {
	if is, ok := t.plain[of]; ok {
		return is
	}
	is := false
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
	case reflect.Array:
		is = t.isPlain(of.Elem())
	case reflect.Struct:
		is = true
		for i := range of.NumField() {
			is = is && t.isPlain(of.Field(i).Type)
		}
	default:
		is = true
	}
	t.plain[of] = is
	return is
}
