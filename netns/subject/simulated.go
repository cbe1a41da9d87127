package subject

import (
	"fmt"

	"baton/scenarios"
)

// Simulated returns why the simulator cannot run a subject, nil if it can. It only has the
// reference node.
func Simulated(s Subject) error {
	if s.Name() == ReferenceName {
		return nil
	}
	return fmt.Errorf("the simulator has no %s, only the reference node: %w", s.Name(), scenarios.ErrUnsupported)
}
