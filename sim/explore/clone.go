package explore

import (
	"fmt"
	"reflect"
	"unsafe"
)

// The core of a node offers no copy of itself, as nothing but an explorer ever
// wants one: cloner makes it, by reflection. What it gets wrong cannot accuse
// anybody, since violations are replayed without it; a test compares a walk of
// copies with a walk without.

// cloner copies one object graph; pointers that meet in the original meet in the copy.
type cloner struct {
	types
	seen map[unsafe.Pointer]reflect.Value
}

func clone[T any](known types, original *T) *T {
	c := cloner{types: known, seen: map[unsafe.Pointer]reflect.Value{}}
	copied := new(T)
	c.copy(reflect.ValueOf(copied).Elem(), reflect.ValueOf(original).Elem())
	return copied
}

// open lifts the write protection of an unexported field; v is addressable.
func open(v reflect.Value) reflect.Value {
	return reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem()
}

// copy sets dst, which is settable, to a copy of src, which is addressable.
func (c *cloner) copy(dst, src reflect.Value) {
	if c.isPlain(src.Type()) {
		dst.Set(src)
		return
	}
	switch src.Kind() {
	case reflect.Struct:
		for i := range src.NumField() {
			c.copy(open(dst.Field(i)), open(src.Field(i)))
		}
	case reflect.Array:
		for i := range src.Len() {
			c.copy(dst.Index(i), src.Index(i))
		}
	case reflect.Slice:
		c.copySlice(dst, src)
	case reflect.Map:
		c.copyMap(dst, src)
	case reflect.Pointer:
		c.copyPointer(dst, src)
	case reflect.Interface:
		dst.Set(src) // inputs, effects and errors are never changed once made
	default:
		panic(fmt.Sprintf("explore: a node holds a %s, which cannot be copied", src.Type()))
	}
}

func (c *cloner) copySlice(dst, src reflect.Value) {
	if src.IsNil() {
		return
	}
	made := reflect.MakeSlice(src.Type(), src.Len(), src.Len())
	if c.isPlain(src.Type().Elem()) {
		reflect.Copy(made, src)
	} else {
		for i := range src.Len() {
			c.copy(made.Index(i), src.Index(i))
		}
	}
	dst.Set(made)
}

func (c *cloner) copyMap(dst, src reflect.Value) {
	if src.IsNil() {
		return
	}
	made := reflect.MakeMapWithSize(src.Type(), src.Len())
	// One map is made from another: the order does not matter.
	for entries := src.MapRange(); entries.Next(); {
		value := reflect.New(src.Type().Elem()).Elem()
		value.Set(entries.Value())
		copied := reflect.New(src.Type().Elem()).Elem()
		c.copy(copied, value)
		made.SetMapIndex(entries.Key(), copied)
	}
	dst.Set(made)
}

func (c *cloner) copyPointer(dst, src reflect.Value) {
	if src.IsNil() {
		return
	}
	if made, ok := c.seen[src.UnsafePointer()]; ok && made.Type() == src.Type() {
		dst.Set(made)
		return
	}
	if own := src.MethodByName("Clone"); own.IsValid() && own.Type().NumIn() == 0 && own.Type().NumOut() == 1 && own.Type().Out(0) == src.Type() {
		made := own.Call(nil)[0]
		c.seen[src.UnsafePointer()] = made
		dst.Set(made)
		return
	}
	made := reflect.New(src.Type().Elem())
	c.seen[src.UnsafePointer()] = made
	c.copy(made.Elem(), src.Elem())
	dst.Set(made)
}
