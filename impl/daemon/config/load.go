package config

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

type Options struct {
	// AllowUnsafe accepts the settings that bring the historical bugs back.
	AllowUnsafe bool
	// Remote skips the files that the configuration names, because they are on another
	// host.
	Remote bool
}

// Load reads and checks a configuration file, and the certificates and scripts that it names.
// Relative paths are relative to its folder. Every error is an *Error.
func Load(file string, opts Options) (*Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, &Error{File: file, Text: "cannot read the configuration: " + reason(err)}
	}
	_, cfg, err := parse(file, text, opts)
	return cfg, err
}

// Verify checks a configuration without reading the files that it names. Every error is an *Error.
func Verify(text []byte) error {
	_, _, err := parse("", text, Options{AllowUnsafe: true, Remote: true})
	return err
}

// parse reads and checks a configuration. The document knows the line of each key.
func parse(file string, text []byte, opts Options) (*document, *Config, error) {
	d := &document{file: filepath.Base(file), lines: map[string]int{}, rules: map[string]string{}, purpose: "node, peer, links, bfd, sync, services and control"}
	cfg := Default()
	if err := d.parse(bytes.NewReader(text), &cfg); err != nil {
		return nil, nil, err
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, nil, &Error{File: file, Text: "the folder of the configuration: " + reason(err)}
	}
	cfg.resolve(dir)
	if err := d.complete(&cfg, opts); err != nil {
		return nil, nil, err
	}
	return d, &cfg, nil
}

// complete fills in defaults and checks the configuration.
func (d *document) complete(cfg *Config, opts Options) error {
	for i := range cfg.Services {
		if cfg.Services[i].Balance == "" {
			cfg.Services[i].Balance = RoundRobin
		}
	}
	inheritChecks(d, cfg)
	inheritLimits(d, cfg)
	checks := []func(*document, *Config) error{
		checkNode, checkBFD, checkHA(opts), checkTrack, checkArbiter, checkSync, checkDataplane, checkServices, checkAddresses,
	}
	if !opts.Remote {
		checks = append(checks, checkCertificates, checkScripts)
	}
	for _, check := range checks {
		if err := check(d, cfg); err != nil {
			return err
		}
	}
	return nil
}

// resolve makes the configuration's paths relative to its file's folder.
func (c *Config) resolve(dir string) {
	for _, p := range []*string{&c.Sync.CA, &c.Sync.Cert, &c.Sync.Key, &c.BFD.Secret, &c.Control, &c.Arbiter.CA, &c.Arbiter.Cert, &c.Arbiter.KeyFile} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	resolveScript(c.Check.Command, dir)
	for _, s := range c.Services {
		resolveScript(s.Check.Command, dir)
	}
}

func resolveScript(command []string, dir string) {
	if isRelative(command) {
		command[0] = filepath.Join(dir, command[0])
	}
}

// isRelative reports whether a program is given by a relative path. A name without a slash is looked up in PATH.
func isRelative(command []string) bool {
	return len(command) > 0 && strings.Contains(command[0], "/") && !filepath.IsAbs(command[0])
}

// reason returns a file system error without the path, which the message around it names.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
