package config

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	yaml "go.yaml.in/yaml/v4"

	"baton/impl/bfd"
)

// Speaker is the configuration of a standalone BFD speaker: sessions with routers and other
// systems, without a node.
type Speaker struct {
	// Control is the path of the control socket.
	Control  string       `yaml:"control" need:"the path of the control socket, such as /run/baton/bfd.sock"`
	Sessions []BFDSession `yaml:"sessions" need:"at least one session: name, peer, local and interface"`
}

// BFDSession is one session of a speaker. Names of values are those of RFC 5880.
type BFDSession struct {
	Name      string  `yaml:"name" need:"a name for the session, such as r1"`
	Mode      BFDMode `yaml:"mode,omitempty"` // single-hop where it is left out
	Peer      Address `yaml:"peer" need:"the peer's address"`
	Local     Address `yaml:"local" need:"this system's address"`
	Interface string  `yaml:"interface,omitempty"` // the interface of a single hop
	// MinTTL is the least TTL or hop limit that a multihop packet may arrive with: 255
	// minus the greatest number of routers in between, as in RFC 5082 section 3.
	MinTTL uint8 `yaml:"min_ttl,omitempty" rule:"RFC 5082 3"`

	TX   Duration `yaml:"tx,omitempty" rule:"RFC 5880 4.1"`     // bfd.DesiredMinTxInterval
	RX   Duration `yaml:"rx,omitempty" rule:"RFC 5880 4.1"`     // bfd.RequiredMinRxInterval
	Mult uint8    `yaml:"mult,omitempty" rule:"RFC 5880 6.8.1"` // bfd.DetectMult

	Demand  bool    `yaml:"demand,omitempty"`  // ask the peer to send nothing once Up (RFC 5880 6.6)
	Passive bool    `yaml:"passive,omitempty"` // send nothing before the peer has (RFC 5880 6.1)
	Auth    BFDAuth `yaml:"auth,omitempty"`
	Echo    BFDEcho `yaml:"echo,omitempty"`
}

// BFDEcho is what a session does about echo packets (RFC 5880 6.4): in a single hop
// beside its control packets, in an unaffiliated session instead of them.
type BFDEcho struct {
	TX Duration `yaml:"tx,omitempty" rule:"RFC 5880 4.1"` // how fast to send echo packets while Up; none if left out
	RX Duration `yaml:"rx,omitempty" rule:"RFC 5880 4.1"` // bfd.RequiredMinEchoRxInterval; no echo packet is returned if left out
	// Source is the address that echo packets are sent from: one of this system that
	// is not of the interface's subnets (RFC 5881 4).
	Source Address `yaml:"source,omitempty"`
}

// IsZero omits unset echo settings from a written file.
func (e BFDEcho) IsZero() bool { return e == BFDEcho{} }

// Sends reports whether the session sends packets to the echo port.
func (s *BFDSession) Sends() bool { return s.Mode == Unaffiliated || s.Echo.TX != 0 }

// BFDAuth is how a session authenticates (RFC 5880 6.7).
type BFDAuth struct {
	Type BFDAuthType `yaml:"type" need:"an authentication type, such as keyed-sha1"`
	Keys []BFDKey    `yaml:"keys" need:"at least one key: id and secret"`
	// Send is the id of the key to transmit with; the first key's if left out.
	Send uint8 `yaml:"send,omitempty"`
}

// IsZero omits unset authentication from a written file.
func (a BFDAuth) IsZero() bool { return a.Type == "" }

// BFDKey is a shared secret, text or 0x and hexadecimal digits.
type BFDKey struct {
	ID     uint8  `yaml:"id" need:"a number from 0 to 255" rule:"RFC 5880 4.2"`
	Secret string `yaml:"secret" need:"the shared secret" rule:"RFC 5880 6.7"`
}

// Address is an IPv4 or IPv6 address without a zone.
type Address struct{ netip.Addr }

// IsZero omits an unset address from a written file.
func (a Address) IsZero() bool { return !a.IsValid() }

// BFDMode is the kind of path between a session's ends.
type BFDMode string

const (
	SingleHop BFDMode = "single-hop" // RFC 5881
	MultiHop  BFDMode = "multihop"   // RFC 5883
	// Unaffiliated is a session with a system that does not speak BFD and only forwards our
	// packets back (RFC 9747).
	Unaffiliated BFDMode = "unaffiliated-echo"
)

func (BFDMode) noun() string        { return "a mode" }
func (BFDMode) allowed() []string   { return []string{"single-hop", "multihop", "unaffiliated-echo"} }
func (m BFDMode) offered() []string { return m.allowed() }

// BFDAuthType is an authentication type of RFC 5880 4.1.
type BFDAuthType string

const (
	AuthSimple         BFDAuthType = "simple"
	AuthMD5            BFDAuthType = "keyed-md5"
	AuthMeticulousMD5  BFDAuthType = "meticulous-md5"
	AuthSHA1           BFDAuthType = "keyed-sha1"
	AuthMeticulousSHA1 BFDAuthType = "meticulous-sha1"
)

func (BFDAuthType) noun() string { return "an authentication type (RFC 5880 4.1)" }
func (BFDAuthType) allowed() []string {
	return []string{"simple", "keyed-md5", "meticulous-md5", "keyed-sha1", "meticulous-sha1"}
}
func (t BFDAuthType) offered() []string { return t.allowed() }

// Defaults of a session's keys.
const (
	defaultInterval = Duration(300 * time.Millisecond)
	defaultMult     = 3
	// defaultMinTTL allows one router between the ends. A more distant peer must be
	// configured, because others at that distance could send packets too.
	defaultMinTTL = bfd.TransmitTTL - 1
)

// LoadSpeaker reads and checks a speaker's configuration file. Relative paths are relative
// to its folder. Every error is an *Error.
func LoadSpeaker(file string) (*Speaker, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, &Error{File: file, Text: "cannot read the configuration: " + reason(err)}
	}
	return parseSpeaker(file, text)
}

func parseSpeaker(file string, text []byte) (*Speaker, error) {
	d := &document{file: filepath.Base(file), lines: map[string]int{}, rules: map[string]string{}, purpose: "control and sessions"}
	var s Speaker
	if err := d.parse(bytes.NewReader(text), &s); err != nil {
		return nil, err
	}
	for i := range s.Sessions {
		s.Sessions[i].defaults(d, index("sessions", i))
	}
	if err := checkSpeaker(d, &s); err != nil {
		return nil, err
	}
	if !filepath.IsAbs(s.Control) {
		s.Control = filepath.Join(filepath.Dir(file), s.Control)
	}
	return &s, nil
}

func (s *BFDSession) defaults(d *document, at string) {
	if s.Mode == "" {
		s.Mode = SingleHop
	}
	if !d.has(at + ".tx") {
		s.TX = defaultInterval
	}
	if s.Mode != Unaffiliated && !d.has(at+".rx") {
		s.RX = defaultInterval
	}
	if !d.has(at + ".mult") {
		s.Mult = defaultMult
	}
	if s.Mode == MultiHop && !d.has(at+".min_ttl") {
		s.MinTTL = defaultMinTTL
	}
	if len(s.Auth.Keys) > 0 && !d.has(at+".auth.send") {
		s.Auth.Send = s.Auth.Keys[0].ID
	}
}

// Marshal returns the configuration as a file that LoadSpeaker accepts.
func (s *Speaker) Marshal() ([]byte, error) { return yaml.Dump(s) }
