package config

import (
	"strings"
	"time"

	"baton/impl/bfd"
)

func checkSpeaker(d *document, s *Speaker) error {
	if s.Control == "" {
		return d.fail("control", "is empty; give the path of the control socket, such as /run/baton/bfd.sock")
	}
	if len(s.Sessions) == 0 {
		return d.fail("sessions", "is empty; add at least one session: name, peer, local and interface")
	}
	names := map[string]int{}
	ends := map[bfd.Path]int{}
	for i := range s.Sessions {
		at, session := index("sessions", i), &s.Sessions[i]
		if err := checkSession(d, at, session); err != nil {
			return err
		}
		if first, twice := names[session.Name]; twice {
			return d.fail(at+".name", "%q names the session on line %d too; sessions need names of their own", session.Name, first)
		}
		names[session.Name] = d.line(at + ".name")
		if first, twice := ends[session.Path()]; twice {
			return d.fail(at, "collides with the session on line %d: both are with %v (RFC 5881 3, RFC 5883 4.1)", first, session.Path())
		}
		ends[session.Path()] = d.line(at)
	}
	return nil
}

// Path returns the key by which the session's first packets are matched.
func (s *BFDSession) Path() bfd.Path {
	if s.Mode == MultiHop {
		return bfd.Path{Local: s.Local.Addr, Remote: s.Peer.Addr}
	}
	return bfd.Path{Interface: s.Interface, Remote: s.Peer.Addr}
}

func checkSession(d *document, at string, s *BFDSession) error {
	if s.Name == "" || strings.ContainsAny(s.Name, " \t\n") {
		return d.fail(at+".name", "%q is not a name; use one word, such as r1", s.Name)
	}
	for _, check := range []func(*document, string, *BFDSession) error{
		checkSessionEnds, checkSessionTiming, checkSessionAuth, checkSessionEcho,
	} {
		if err := check(d, at, s); err != nil {
			return err
		}
	}
	return nil
}

func checkSessionEnds(d *document, at string, s *BFDSession) error {
	if err := checkUnicast(d, at+".peer", s.Peer.Addr); err != nil {
		return err
	}
	if err := checkUnicast(d, at+".local", s.Local.Addr); err != nil {
		return err
	}
	if s.Local.Is4() != s.Peer.Is4() {
		return d.fail(at+".peer", "%v is of another protocol than %v; one session has one (RFC 5881 2)", s.Peer, s.Local)
	}
	if s.Local == s.Peer {
		return d.fail(at+".peer", "%v is the local address; give the peer's", s.Peer)
	}
	if s.Mode == MultiHop {
		if s.Interface != "" {
			return d.fail(at+".interface", "is of no use to multihop, which is told by its addresses (RFC 5883 4.1); leave it out")
		}
		for _, e := range []struct {
			key  string
			addr Address
		}{{".local", s.Local}, {".peer", s.Peer}} {
			if e.addr.IsLinkLocalUnicast() {
				return d.fail(at+e.key, "%v is link-local, and no router forwards it (RFC 4291 2.5.6); give a global address, or an interface and no mode", e.addr)
			}
		}
		if s.MinTTL == 0 {
			return d.fail(at+".min_ttl", "0 is out of range; use 1, which any packet has, to 255, which no router may lower (RFC 5082 3)")
		}
		return nil
	}
	if d.has(at+".min_ttl") && s.MinTTL != bfd.TransmitTTL {
		return d.fail(at+".min_ttl", "is only used with multihop; a single hop requires 255 (RFC 5881 5)")
	}
	if s.Interface == "" {
		return d.fail(at, "needs the interface that it is bound to (RFC 5881 3); add interface, or mode: multihop")
	}
	return checkLink(d, at+".interface", s.Interface)
}

func checkSessionTiming(d *document, at string, s *BFDSession) error {
	if err := checkInterval(d, at+".tx", s.TX); err != nil {
		return err
	}
	if s.Mode != Unaffiliated {
		if err := checkInterval(d, at+".rx", s.RX); err != nil {
			return err
		}
	}
	if s.Mult == 0 {
		return d.fail(at+".mult", "0 is out of range; use 1 to 255 (RFC 5880 6.8.1)")
	}
	return nil
}

func checkSessionAuth(d *document, at string, s *BFDSession) error {
	if s.Auth.Type != "" && len(s.Auth.Keys) == 0 {
		return d.fail(at+".auth.keys", "is empty; add at least one key: id and secret (RFC 5880 6.7)")
	}
	auth, err := s.Auth.BFD()
	if err == nil {
		err = auth.Validate()
	}
	if err != nil {
		return d.fail(at+".auth", "%s", strings.TrimPrefix(strings.TrimPrefix(err.Error(), "bfd: "), "config: "))
	}
	return nil
}

// BFD returns the authentication for a session.
func (a BFDAuth) BFD() (bfd.Auth, error) {
	auth := bfd.Auth{SendKey: a.Send, Type: map[BFDAuthType]bfd.AuthType{
		AuthSimple: bfd.AuthSimplePassword, AuthMD5: bfd.AuthKeyedMD5, AuthMeticulousMD5: bfd.AuthMeticulousKeyedMD5,
		AuthSHA1: bfd.AuthKeyedSHA1, AuthMeticulousSHA1: bfd.AuthMeticulousKeyedSHA1,
	}[a.Type]}
	for _, k := range a.Keys {
		secret, err := bfd.ParseSecret(k.Secret)
		if err != nil {
			return bfd.Auth{}, err
		}
		auth.Keys = append(auth.Keys, bfd.Key{ID: k.ID, Secret: secret})
	}
	return auth, nil
}

// checkInterval checks that an interval fits the wire format and can be kept by a process.
func checkInterval(d *document, path string, t Duration) error {
	v := time.Duration(t)
	if v < minInterval || v > maxInterval {
		return d.fail(path, "%v is out of range; use %v to %v (RFC 5880 4.1)", v, minInterval, maxInterval)
	}
	if v%time.Microsecond != 0 {
		return d.fail(path, "%v is finer than BFD counts; use whole microseconds, such as %v (RFC 5880 4.1)", v, v.Round(time.Microsecond))
	}
	return nil
}
