package config

import (
	"reflect"

	"baton/impl/dataplane"
)

// inheritLimits fills in each service's limits from the file's.
func inheritLimits(d *document, c *Config) {
	for i := range c.Services {
		of, from := reflect.ValueOf(&c.Services[i].Limits).Elem(), reflect.ValueOf(c.Limits)
		for _, f := range fieldsOf(of.Type()) {
			if !d.has(index("services", i) + ".limits." + f.name) {
				of.Field(f.index).Set(from.Field(f.index))
			}
		}
	}
}

func checkLimits(d *document, at string, l Limits) error {
	v := reflect.ValueOf(l)
	for _, f := range fieldsOf(v.Type()) {
		if n := v.Field(f.index).Int(); n < 0 || n > dataplane.MaxLimit {
			return d.fail(at+"."+f.name, "%d is out of range; use 1 to %d, or 0 for no limit", n, dataplane.MaxLimit)
		}
	}
	for _, pair := range []struct {
		name  string
		n     int
		wider string
		of    int
	}{
		{"embryonic", l.Embryonic, "flows", l.Flows}, {"source_flows", l.SourceFlows, "flows", l.Flows},
		{"source_embryonic", l.SourceEmbryonic, "source_flows", l.SourceFlows}, {"source_embryonic", l.SourceEmbryonic, "embryonic", l.Embryonic},
		{"syn_challenge", l.SYNChallenge, "embryonic", l.Embryonic}, {"syn_challenge", l.SYNChallenge, "flows", l.Flows},
	} {
		if pair.of > 0 && pair.n > pair.of {
			return d.fail(at+"."+pair.name, "%d is never reached: %s is %d; use less, or leave it out", pair.n, pair.wider, pair.of)
		}
	}
	return nil
}
