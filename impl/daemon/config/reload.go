package config

import (
	"os"
	"reflect"
	"strings"
)

// Reload reads the file again for a node that runs with now. Only services and check may
// differ, and a node without an IPv6 address cannot get one; all other keys are read at
// start. Every error is an *Error, and now stays unchanged.
func Reload(file string, opts Options, now *Config) (*Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, &Error{File: file, Text: "cannot read the configuration: " + reason(err)}
	}
	d, next, err := parse(file, text, opts)
	if err != nil {
		return nil, err
	}
	if err := checkUnchanged(d, now, next); err != nil {
		return nil, err
	}
	if err := checkFamilies(d, now, next); err != nil {
		return nil, err
	}
	return next, nil
}

// checkUnchanged rejects changes that a running node cannot apply.
func checkUnchanged(d *document, now, next *Config) error {
	was, is := reflect.ValueOf(*now), reflect.ValueOf(*next)
	for i := range was.NumField() {
		key, _, _ := strings.Cut(was.Type().Field(i).Tag.Get("yaml"), ",")
		if key != "services" && key != "check" && !reflect.DeepEqual(was.Field(i).Interface(), is.Field(i).Interface()) {
			return d.fail(key, "has changed, but a running node only reloads services; restart it, the BACKUP first")
		}
	}
	return nil
}

// checkFamilies rejects the first IPv6 address: a node without one has no table for it.
func checkFamilies(d *document, now, next *Config) error {
	if now.Dataplane().HasIPv6() {
		return nil
	}
	for i, s := range next.Services {
		if first, ok := s.Dataplane().FirstIPv6(); ok {
			path := index("services", i) + ".backends"
			if s.VIP.Is6() {
				path = index("services", i) + ".vip"
			}
			return d.fail(path, "%v is the first IPv6 address, and a running node has no table for it; restart it, the BACKUP first", first)
		}
	}
	return nil
}
