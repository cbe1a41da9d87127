// Package ha decides who is MASTER. It holds the roles, the gates that a claim
// must pass, the one transition function, the rank that orders two nodes, and
// the recovery delay. Everything in it is a pure function of its arguments: it
// reads no clock, keeps no global state and does no IO. Package node feeds it
// and carries out the actions that it returns.
package ha

import "fmt"

// Role is what a node is to its pair.
type Role uint8

const (
	Init     Role = iota // booting: links or dataplane not ready yet
	Backup               // does not forward; receives the connection table
	Claiming             // every gate passed; what was received last is being installed
	Master               // forwards and answers for the VIPs
	Yielding             // was MASTER, has stopped forwarding, hands over what is left
	Fault                // links or dataplane failed
	roles
)

var roleNames = [roles]string{"Init", "Backup", "Claiming", "Master", "Yielding", "Fault"}

func (r Role) String() string {
	if r < roles {
		return roleNames[r]
	}
	return fmt.Sprintf("Role(%d)", uint8(r))
}

// Valid reports whether r is one of the roles above.
func (r Role) Valid() bool { return r < roles }

// Roles returns all roles in order.
func Roles() []Role { return []Role{Init, Backup, Claiming, Master, Yielding, Fault} }

// Holds reports whether a node in this role has the MASTER role, or may still
// have it as far as its peer can know: nobody else may claim without its grant.
func (r Role) Holds() bool { return r == Claiming || r == Master || r == Yielding }
