package config

import (
	"encoding"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	yaml "go.yaml.in/yaml/v4"
)

// document decodes one file and remembers the line of each key, so that later checks can
// name it.
type document struct {
	file  string
	lines map[string]int    // "bfd.paths[0].local" → line
	rules map[string]string // the RFC section that a key's error messages name

	// unlined means that it is not a file, so that mistakes are named by key only.
	unlined bool
	purpose string // the keys that such a file must have
}

// fail returns an error at the line of a path, or of the nearest enclosing key that is in
// the file.
func (d *document) fail(path, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if rule := d.rules[path]; rule != "" && !strings.Contains(text, "RFC ") {
		text += " (" + rule + ")"
	}
	return d.mistake(d.line(path), path, path+": "+text)
}

func (d *document) failAt(line int, format string, args ...any) error {
	return d.mistake(line, "", fmt.Sprintf(format, args...))
}

func (d *document) mistake(line int, key, text string) error {
	if d.unlined {
		line = 0
	}
	return &Error{File: d.file, Line: line, Key: key, Text: oneLine.Replace(text)}
}

// oneLine keeps a message on one line even if its quotations have line breaks.
var oneLine = strings.NewReplacer("\n", `\n`, "\r", `\r`)

// has reports whether a key is in the file.
func (d *document) has(path string) bool {
	_, ok := d.lines[path]
	return ok
}

// place describes where a key is, for a message about another one.
func (d *document) place(path string) string {
	if d.unlined {
		return path
	}
	return fmt.Sprintf("line %d", d.line(path))
}

func (d *document) line(path string) int {
	if d.unlined {
		return 0
	}
	for path != "" {
		if line, ok := d.lines[path]; ok {
			return line
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return max(d.lines[""], 1)
}

// parse decodes the single YAML document of a file into cfg.
func (d *document) parse(r io.Reader, cfg any) error {
	loader, err := yaml.NewLoader(r)
	if err != nil {
		return d.failAt(1, "not YAML: %v", err)
	}
	var root, second yaml.Node
	if err := loader.Load(&root); errors.Is(err, io.EOF) {
		return d.failAt(1, "the file is empty; it must at least name %s", d.purpose)
	} else if err != nil {
		return d.syntax(err)
	}
	if err := loader.Load(&second); err == nil {
		return d.failAt(second.Content[0].Line, "a second document; a configuration file holds one")
	} else if !errors.Is(err, io.EOF) {
		return d.syntax(err)
	}
	return d.decode(root.Content[0], "", reflect.ValueOf(cfg).Elem())
}

// syntax converts an error of the YAML parser to one line.
func (d *document) syntax(err error) error {
	var load *yaml.LoadError
	if errors.As(err, &load) {
		return d.failAt(max(load.Mark.Line, 1), "not YAML: %s", load.Message)
	}
	return d.failAt(1, "not YAML: %v", err)
}

// decode stores a node into v and recurses by v's kind, so that the configuration's types
// bound the depth, whatever aliases the file has.
func (d *document) decode(n *yaml.Node, path string, v reflect.Value) error {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	d.lines[path] = n.Line
	if _, text := v.Addr().Interface().(encoding.TextMarshaler); v.Kind() == reflect.Struct && !text {
		return d.decodeStruct(n, path, v)
	}
	if v.Kind() == reflect.Slice {
		return d.decodeSlice(n, path, v)
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return d.fail(path, "needs a single value, this is %s", kindOf(n))
	}
	return d.decodeScalar(n, path, v)
}

func (d *document) decodeStruct(n *yaml.Node, path string, v reflect.Value) error {
	keys := fieldsOf(v.Type())
	if n.Kind != yaml.MappingNode {
		names := make([]string, len(keys))
		for i, k := range keys {
			names[i] = k.name
		}
		return d.failAt(n.Line, "%sneeds keys and values (%s), this is %s", prefix(path), strings.Join(names, ", "), kindOf(n))
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		k := slices.IndexFunc(keys, func(k field) bool { return k.name == key.Value })
		if k < 0 {
			return d.unknown(key, path, keys)
		}
		if first, twice := seen[key.Value]; twice {
			return d.failAt(key.Line, "%s is given twice; line %d has it already", join(path, key.Value), first)
		}
		seen[key.Value] = key.Line
		d.rules[join(path, key.Value)] = keys[k].rule
		if err := d.decode(value, join(path, key.Value), v.Field(keys[k].index)); err != nil {
			return err
		}
	}
	for _, k := range keys {
		if _, ok := seen[k.name]; !ok && k.need != "" {
			return d.failAt(n.Line, "%s is missing; add %s", join(path, k.name), k.need)
		}
	}
	return nil
}

func (d *document) decodeSlice(n *yaml.Node, path string, v reflect.Value) error {
	if n.Kind != yaml.SequenceNode {
		return d.fail(path, "needs a list, this is %s", kindOf(n))
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		if err := d.decode(item, fmt.Sprintf("%s[%d]", path, i), list.Index(i)); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}

func (d *document) decodeScalar(n *yaml.Node, path string, v reflect.Value) error {
	s := n.Value
	switch p := v.Addr().Interface().(type) {
	case choice:
		if !slices.Contains(p.allowed(), s) {
			return d.fail(path, "%q is not %s; use %s", s, p.noun(), or(p.offered()))
		}
		v.SetString(s)
	case *string:
		*p = s
	case *bool:
		b, err := strconv.ParseBool(s)
		if err != nil {
			return d.fail(path, "%q is neither true nor false", s)
		}
		*p = b
	case *uint8:
		return d.decodeUint(s, path, v, 255)
	case *uint16:
		return d.decodeUint(s, path, v, 65535)
	case *int:
		i, err := strconv.Atoi(s)
		if err != nil {
			return d.fail(path, "%q is not a whole number", s)
		}
		*p = i
	case *Duration:
		t, err := time.ParseDuration(s)
		if err != nil {
			return d.badDuration(s, path)
		}
		*p = Duration(t)
	case *PortRange:
		r, ok := parsePortRange(s)
		if !ok {
			return d.fail(path, "%q is not a range of ports; write it as 20000-59999", s)
		}
		*p = r
	case *Statuses:
		r, ok := parseStatuses(s)
		if !ok {
			return d.fail(path, "%q is not a range of HTTP statuses; write it as 200-399", s)
		}
		*p = r
	case *AddrRange:
		first, last, isRange := strings.Cut(s, "-")
		a, err := d.address(strings.TrimSpace(first), path)
		if err != nil {
			return err
		}
		*p = AddrRange{a, a}
		if isRange {
			if p.Last, err = d.address(strings.TrimSpace(last), path); err != nil {
				return err
			}
		}
	case *netip.Addr:
		a, err := d.address(s, path)
		if err != nil {
			return err
		}
		*p = a
	case *Address:
		a, err := d.address(s, path)
		if err != nil {
			return err
		}
		*p = Address{a}
	case *Ports:
		r, err := d.ports(s, path)
		if err != nil {
			return err
		}
		*p = r
	case *netip.AddrPort:
		a, err := netip.ParseAddrPort(s)
		if err != nil {
			example := "198.18.2.1:3790 or [2001:2::1]:3790"
			if strings.HasPrefix(path, "services") {
				example = "198.18.1.11:80 or [2001:2:0:1::11]:80"
			}
			return d.fail(path, "%q is not an IP address and port; write it as %s", s, example)
		}
		if _, err := d.address(a.Addr().String(), path); err != nil {
			return err
		}
		*p = a
	default:
		panic(fmt.Sprintf("config: no way to decode a %T", p))
	}
	return nil
}

// address reads an IPv4 or IPv6 address.
func (d *document) address(s, path string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	switch {
	case a.Is4In6():
		err = d.fail(path, "%q is an IPv4-mapped address; write it as %v", s, a.Unmap())
	case a.Zone() != "":
		err = d.fail(path, "%q has a zone; write it as %v, and the interface under its own key", s, a.WithZone(""))
	case err != nil:
		err = d.fail(path, "%q is not an IP address; write it as 198.18.0.1 or 2001:2::1", s)
	}
	return a, err
}

func (d *document) decodeUint(s, path string, v reflect.Value, limit uint64) error {
	u, err := strconv.ParseUint(s, 10, 64)
	if err != nil || u > limit {
		return d.fail(path, "%q is not a whole number up to %d", s, limit)
	}
	v.SetUint(u)
	return nil
}

// badDuration distinguishes a number without a unit from an unknown unit.
func (d *document) badDuration(s, path string) error {
	digits := strings.TrimLeft(s, "0123456789.")
	number := s[:len(s)-len(digits)]
	switch {
	case number == "":
		return d.fail(path, "%q is not a duration; write it as 50ms", s)
	case digits == "":
		return d.fail(path, "%q has no unit; write it as %sms or %ss", s, number, number)
	}
	if slices.Contains([]string{"ns", "us", "µs", "ms", "s", "m", "h"}, digits) {
		return d.fail(path, "%q is out of range", s)
	}
	return d.fail(path, "%q has no unit that is known; use ns, us, ms, s, m or h, as in %sms", s, number)
}

func (d *document) unknown(key *yaml.Node, path string, keys []field) error {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}
	full := join(path, key.Value)
	if near, ok := nearest(key.Value, names); ok {
		return d.failAt(key.Line, "%s is not a key; did you mean %s?", full, join(path, near))
	}
	return d.failAt(key.Line, "%s is not a key; use %s", full, or(names))
}

// field is one key of a configuration struct.
type field struct {
	name, need, rule string
	index            int
}

func fieldsOf(t reflect.Type) []field {
	fields := make([]field, t.NumField())
	for i := range fields {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		fields[i] = field{name: name, need: f.Tag.Get("need"), rule: f.Tag.Get("rule"), index: i}
	}
	return fields
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func prefix(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a set of keys"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "empty"
	}
	return strconv.Quote(n.Value)
}
