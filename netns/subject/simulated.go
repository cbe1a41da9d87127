package subject

import (
	"fmt"

	"baton/scenarios"
)

// Simulated returns why the simulator cannot run a subject, nil if it can: it has the
// reference node alone.
func Simulated(s Subject) error {
	if s.Name() == ReferenceName {
		return nil
	}
	return fmt.Errorf("the simulator has no %s, the reference node alone: %w", s.Name(), scenarios.ErrUnsupported)
}
