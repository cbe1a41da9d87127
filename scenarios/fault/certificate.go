package fault

import (
	"time"

	"baton/scenarios/capability"
)

// Certificate exchanges the certificate by which a node authenticates its sync stream, and
// Renew gives it a good one. The node reads it as it starts.
const (
	Certificate = "certificate"
	Renew       = "renew"
)

// Ways of Certificate.
const (
	CertForeign = "foreign"
	CertExpires = "expires"
)

// CertLife is how long a certificate is good for that expires.
const CertLife = 3 * time.Second

var certificate = Verb{
	Word: Certificate, On: Traits, Kinds: nodes, Doc: "the node has another certificate from its next start on",
	Receipt: "it does not pass the peer's check, or will not once it has expired",
	Undo:    Renew, Needs: capability.Certificates,
	Ways: []Way{
		{CertForeign, "of an authority that the peer does not know, as the peer's is not known to the node"},
		{CertExpires, "good for 3 s from this step on; a stream that is up by then stays"},
	},
}

var renew = Verb{
	Word: Renew, On: Traits, Kinds: nodes, Doc: "the node has a good certificate from its next start on",
	Receipt: "it passes the peer's check",
}
