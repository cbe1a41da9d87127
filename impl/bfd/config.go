package bfd

import (
	"fmt"
	"time"
)

// slowRxInterval is the minimum bfd.RequiredMinRxInterval while echo packets detect
// failures (RFC 5880 section 6.8.3).
const slowRxInterval = time.Second

// slowTxInterval is the minimum bfd.DesiredMinTxInterval of a session that is not
// Up (RFC 5880 section 6.8.3).
const slowTxInterval = time.Second

// maxTTL is the TTL with which single-hop packets are sent and must arrive (RFC 5881 section 5).
const maxTTL = 255

// Config configures a session.
type Config struct {
	// LocalDiscr identifies the session among all of this system. It is nonzero and
	// unique, and should be random (RFC 5880 section 6.8.1).
	LocalDiscr uint32

	// DesiredMinTxInterval and RequiredMinRxInterval apply while the session is Up;
	// otherwise it transmits at most once a second. Whole microseconds.
	DesiredMinTxInterval  time.Duration
	RequiredMinRxInterval time.Duration

	// DetectMult is how many consecutive packets the *peer* must miss to declare
	// this session down.
	DetectMult uint8

	// Demand asks for Demand mode once both sides are Up, see SetDemand.
	Demand bool

	// Passive sessions transmit nothing until they have heard the peer (RFC 5880 section 6.1).
	Passive bool

	// ForgetsWithdrawn forgets bfd.RemoteDiscr as the peer signals AdminDown, instead of a Detection
	// Time later (RFC 5880 section 6.8.1): three seconds at the slow rate. A system that is started
	// again meanwhile, with new discriminators, discards packets that name the session before.
	// If none of its own arrive, only this lets it hear its peer.
	ForgetsWithdrawn bool

	// ControlPlaneIndependent sets the C bit: BFD survives the control plane's restart.
	ControlPlaneIndependent bool

	// RequiredMinEchoRxInterval is the minimum interval of the peer's echo packets that
	// this system's forwarding plane returns; 0 returns none. EchoInterval is the desired
	// interval of this session's own echo packets; 0 sends none.
	RequiredMinEchoRxInterval time.Duration
	EchoInterval              time.Duration

	// MultiHop sessions (RFC 5883) accept packets that routers have forwarded, with
	// a TTL or hop limit of at least MinTTL: 255 minus the maximum number of routers
	// in between. A single hop requires 255 (RFC 5881 section 5).
	MultiHop bool
	MinTTL   uint8

	// Auth authenticates the session; the zero value does not.
	Auth Auth

	// Seed seeds the session's own generator, which draws the jitter and the first
	// authentication sequence number. It should be unpredictable if the session is
	// authenticated.
	Seed uint64
}

// Validate reports the first value that violates the RFC, by name and section.
func (c Config) Validate() error {
	if c.LocalDiscr == 0 {
		return fmt.Errorf("bfd: config: LocalDiscr is 0 (RFC 5880 6.8.1)")
	}
	if err := validateDetectMult(c.DetectMult); err != nil {
		return err
	}
	if err := validateIntervals(c.DesiredMinTxInterval, c.RequiredMinRxInterval); err != nil {
		return err
	}
	if err := validateEcho(c.EchoInterval, c.RequiredMinEchoRxInterval); err != nil {
		return err
	}
	if c.MultiHop && (c.EchoInterval != 0 || c.RequiredMinEchoRxInterval != 0) {
		return fmt.Errorf("bfd: config: Echo function with MultiHop (RFC 5883 3)")
	}
	if !c.MultiHop && c.MinTTL != 0 && c.MinTTL != maxTTL {
		return fmt.Errorf("bfd: config: MinTTL %d without MultiHop (RFC 5881 5)", c.MinTTL)
	}
	return c.Auth.Validate()
}

func validateEcho(tx, rx time.Duration) error {
	if tx != 0 {
		if err := validateInterval("EchoInterval", tx); err != nil {
			return err
		}
	}
	if rx != 0 {
		return validateInterval("RequiredMinEchoRxInterval", rx)
	}
	return nil
}

// validateIntervals also refuses a RequiredMinRxInterval of 0: on the wire it means
// "send me nothing", so that no failure could be detected.
func validateIntervals(tx, rx time.Duration) error {
	if err := validateInterval("DesiredMinTxInterval", tx); err != nil {
		return err
	}
	return validateInterval("RequiredMinRxInterval", rx)
}

func validateDetectMult(mult uint8) error {
	if mult == 0 {
		return fmt.Errorf("bfd: config: DetectMult is 0 (RFC 5880 6.8.1)")
	}
	return nil
}

func validateInterval(name string, d time.Duration) error {
	if d < time.Microsecond || d > MaxInterval {
		return fmt.Errorf("bfd: config: %s %v is not between 1µs and %v (RFC 5880 4.1)", name, d, MaxInterval)
	}
	if d%time.Microsecond != 0 {
		return fmt.Errorf("bfd: config: %s %v is not a whole number of microseconds (RFC 5880 4.1)", name, d)
	}
	return nil
}

func (c Config) minTTL() uint8 {
	if c.MultiHop {
		return c.MinTTL
	}
	return maxTTL
}
