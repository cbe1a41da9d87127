package config

import (
	"errors"

	"baton/impl/daemon/pki"
)

// Files returns the paths of the node's certificates and of the pair's secret, for
// pki.Load.
func (c *Config) Files() pki.Files {
	return pki.Files{CA: c.Sync.CA, Cert: c.Sync.Cert, Key: c.Sync.Key, Secret: c.BFD.Secret}
}

// checkCertificates rejects certificates that the peer would reject.
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
	return err
}
