package config

import (
	"os"
	"reflect"
	"slices"
	"strings"

	"baton/impl/dataplane"
)

// Reload reads the file again for a node that runs with the configuration now. Of all
// keys only services and check may differ, and the set of VIPs must not: the rest is read when
// a node starts. Every error is an *Error, and now stays as it is.
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
	return next, checkSameVIPs(d, now, next)
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

// checkSameVIPs refuses addresses that nobody announces and defends yet, or that would
// be announced no longer.
func checkSameVIPs(d *document, now, next *Config) error {
	was := now.VIPs()
	for i, s := range next.Services {
		for key, vip := range map[string]dataplane.VIP{".vip": {Addr: s.VIP, Link: next.Links.Client}, ".snat": {Addr: s.SNAT, Link: next.Links.Backend}} {
			if !slices.Contains(was, vip) {
				return d.fail(index("services", i)+key, "%v is new, and a running node takes over no new VIP; restart it, the BACKUP first", vip.Addr)
			}
		}
	}
	is := next.VIPs()
	for _, vip := range was {
		if !slices.Contains(is, vip) {
			return d.fail("services", "no service has %v any more, and a running node gives no VIP up; restart it, the BACKUP first", vip.Addr)
		}
	}
	return nil
}
