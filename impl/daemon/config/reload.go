package config

import (
	"os"
	"reflect"
	"strings"
)

// Reload reads the file again for a node that runs with the configuration now. Of all
// keys only services and check may differ, and a node that has no IPv6 address gets none: the
// rest is read when a node starts. Every error is an *Error, and now stays as it is.
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
	return next, checkFamilies(d, now, next)
}

// checkUnchanged refuses a change of what a running node does not take over.
func checkUnchanged(d *document, now, next *Config) error {
	was, is := reflect.ValueOf(*now), reflect.ValueOf(*next)
	for i := range was.NumField() {
		key, _, _ := strings.Cut(was.Type().Field(i).Tag.Get("yaml"), ",")
		if key != "services" && key != "check" && !reflect.DeepEqual(was.Field(i).Interface(), is.Field(i).Interface()) {
			return d.fail(key, "has changed, and a running node takes over services alone; restart it, the BACKUP first")
		}
	}
	return nil
}

// checkFamilies refuses the first address of IPv6: a node without one has no table for it.
func checkFamilies(d *document, now, next *Config) error {
	if now.Dataplane().HasIPv6() {
		return nil
	}
	for i, s := range next.Services {
		if s.VIP.Is6() {
			return d.fail(index("services", i)+".vip", "%v is the first IPv6 address, and a running node makes no table for it; restart it, the BACKUP first", s.VIP)
		}
	}
	return nil
}
