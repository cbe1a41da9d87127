package config

import (
	"errors"
	"io/fs"
	"os/exec"

	"baton/impl/daemon/pki"
)

// Files returns the paths of the node's certificates and of the pair's secret, for
// pki.Load.
func (c *Config) Files() pki.Files {
	return pki.Files{CA: c.Sync.CA, Cert: c.Sync.Cert, Key: c.Sync.Key, Secret: c.BFD.Secret}
}

// checkCertificates rejects certificates that the peer or the arbiter would reject.
func checkCertificates(d *document, c *Config) error {
	_, err := pki.Load(c.Files(), c.Node)
	var file *pki.FileError
	if errors.As(err, &file) {
		section := "sync."
		if file.Part == "secret" {
			section = "bfd."
		}
		return d.fail(section+file.Part, "%s", file.Text)
	}
	if err != nil || c.Arbiter.CA == "" {
		return err
	}
	_, err = pki.Client(c.ArbiterFiles())
	if errors.As(err, &file) {
		return d.fail("arbiter."+arbiterKeys[file.Part], "%s", file.Text)
	}
	return err
}

// ArbiterFiles returns the paths of the files with which the node and etcd authenticate each other.
func (c *Config) ArbiterFiles() pki.Files {
	return pki.Files{CA: c.Arbiter.CA, Cert: c.Arbiter.Cert, Key: c.Arbiter.KeyFile}
}

// arbiterKeys are the keys of the files.
var arbiterKeys = map[string]string{"ca": "ca", "cert": "cert", "key": "key_file"}

// checkScripts rejects health checks whose program is not there: all backends of their services would be
// down.
func checkScripts(d *document, c *Config) error {
	for i, s := range c.Services {
		if s.Check.Type != CheckScript {
			continue
		}
		program := s.Check.Command[0]
		if err := runnable(program); err != nil {
			return d.fail(checkKey(d, index("services", i), "command"), "%q cannot be run: %v", program, err)
		}
	}
	return nil
}

// runnable says why a program cannot be run by its path, or by its name in PATH; nil if it can.
func runnable(program string) error {
	_, err := exec.LookPath(program)
	var named *exec.Error
	var path *fs.PathError
	if errors.As(err, &named) {
		err = named.Err // without the name
	}
	if errors.As(err, &path) {
		err = path.Err
	}
	return err
}
