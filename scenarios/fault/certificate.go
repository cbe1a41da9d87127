package fault

import (
	"time"

	"baton/scenarios/capability"
)

// Certificate replaces the certificate with which a node authenticates its sync stream, and Renew
// gives it a valid one. The node reads it when it starts.
const (
	Certificate = "certificate"
	Renew       = "renew"
)

// Ways of Certificate.
const (
	CertForeign = "foreign"
	CertExpires = "expires"
)

// CertLife is how long the certificate of CertExpires is valid.
const CertLife = 3 * time.Second

var certificate = Verb{
	Word: Certificate, On: Traits, Kinds: nodes, Doc: "from its next start on the node has another certificate",
	Receipt: "the certificate does not pass the peer's check, or will not once it has expired",
	Undo:    Renew, Needs: capability.Certificates,
	Ways: []Way{
		{Name: CertForeign, Doc: "signed by an authority that the peer does not trust; the node does not trust the peer's either"},
		{Name: CertExpires, Doc: "valid for 3 s from this step on; a stream that is up when it expires stays up"},
	},
}

var renew = Verb{
	Word: Renew, On: Traits, Kinds: nodes, Doc: "from its next start on the node has a valid certificate",
	Receipt: "the certificate passes the peer's check",
}
