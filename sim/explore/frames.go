package explore

import (
	"encoding/binary"
	"fmt"

	"baton/impl/ha"
)

// The walk parses frames of impl/node's protocol only as far as it needs: the type, and in a state
// message the role and the epoch.
const (
	stateType   = 0x80
	requestType = 0x81
	grantType   = 0x82

	roleAt   = 2
	epochAt  = 5
	epochEnd = 9
)

// epochIn returns the table epoch in a state message, 0 for every other frame.
func epochIn(data []byte) uint32 {
	if len(data) < epochEnd || data[0] != stateType {
		return 0
	}
	return binary.BigEndian.Uint32(data[epochAt:])
}

// frameName describes a frame by its content.
func frameName(data []byte) string {
	switch {
	case len(data) > roleAt && data[0] == stateType:
		return "the message \"I am " + ha.Role(data[roleAt]).String() + "\""
	case len(data) > 0 && data[0] == requestType:
		return "the request for the role"
	case len(data) > 0 && data[0] == grantType:
		return "the grant"
	}
	return fmt.Sprintf("a frame of connection sync (type %d)", data[0])
}
