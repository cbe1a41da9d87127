package config

// checkSessionEcho checks a session's echo settings. The interface's addresses, and whether
// the system forwards, are only known when it starts.
func checkSessionEcho(d *document, at string, s *BFDSession) error {
	var err error
	switch s.Mode {
	case MultiHop:
		if d.has(at + ".echo") {
			err = d.fail(at+".echo", "is of no use to multihop: echo packets cross only one hop (RFC 5883 3); leave it out")
		}
	case Unaffiliated:
		err = checkUnaffiliated(d, at, s)
	default:
		err = checkAffiliated(d, at, s)
	}
	if err != nil || !s.Sends() {
		return err
	}
	return checkEchoSource(d, at, s)
}

// checkAffiliated checks the Echo function of a single hop.
func checkAffiliated(d *document, at string, s *BFDSession) error {
	if !d.has(at + ".echo") {
		return nil
	}
	tx, rx := d.has(at+".echo.tx"), d.has(at+".echo.rx")
	if !tx && !rx {
		return d.fail(at+".echo", "neither sends echo packets nor returns them; add tx, rx or both")
	}
	if tx {
		if err := checkInterval(d, at+".echo.tx", s.Echo.TX); err != nil {
			return err
		}
	}
	if rx {
		if err := checkInterval(d, at+".echo.rx", s.Echo.RX); err != nil {
			return err
		}
	}
	if !tx && s.Echo.Source.IsValid() {
		return d.fail(at+".echo.source", "is only used to send echo packets; add tx, or leave it out")
	}
	return nil
}

// checkUnaffiliated rejects keys that need a peer with BFD.
func checkUnaffiliated(d *document, at string, s *BFDSession) error {
	for _, key := range []string{".rx", ".passive", ".demand", ".echo.rx"} {
		if d.has(at + key) {
			return d.fail(at+key, "is of no use to an unaffiliated session, whose peer sends nothing of its own (RFC 9747 2); leave it out")
		}
	}
	if d.has(at + ".echo.tx") {
		return d.fail(at+".echo.tx", "is the session's own tx where it is unaffiliated, as it sends nothing else (RFC 9747 2); leave it out")
	}
	return nil
}

// checkEchoSource checks the address that echo packets are sent from.
func checkEchoSource(d *document, at string, s *BFDSession) error {
	path, source := at+".echo.source", s.Echo.Source
	if s.Local.IsLinkLocalUnicast() {
		return d.fail(at+".local", "%v is link-local, which no system forwards to (RFC 4291 2.5.6), so no echo packet would come back; use another address", s.Local)
	}
	if !source.IsValid() {
		return d.fail(at, "needs an address to send echo packets from that is not of %s's subnets (RFC 5881 4); add echo: {source: ...}", s.Interface)
	}
	if err := checkUnicast(d, path, source.Addr); err != nil {
		return err
	}
	switch {
	case source.Is4() != s.Local.Is4():
		return d.fail(path, "%v is of another protocol than %v; one session has one (RFC 5881 2)", source, s.Local)
	case source.IsLinkLocalUnicast():
		return d.fail(path, "%v is link-local: the peer could answer with redirects (RFC 5881 4); use another address of this system", source)
	case source == s.Local || source == s.Peer:
		return d.fail(path, "%v is of the link's subnet: the peer could answer with redirects (RFC 5881 4); use another address of this system", source)
	}
	return nil
}
