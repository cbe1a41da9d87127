package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"baton/impl/dataplane"
	"baton/impl/health"
)

// Check is how the backends of a service are probed, and how failures are handled. A service
// inherits the keys that it leaves out from the file's check.
type Check struct {
	// Type is none, port, tcp, sctp, http, https, grpc, grpcs, icmp or script.
	Type CheckType `yaml:"type,omitempty"`
	// Interval is the time between two probes of a backend.
	Interval Duration `yaml:"interval,omitempty"`
	// Timeout is how long a probe may take; half of interval if left out.
	Timeout Duration `yaml:"timeout,omitempty"`
	// Rise is how many answers in a row bring a backend up.
	Rise uint8 `yaml:"rise,omitempty"`
	// Fall is how many failures in a row take a backend down.
	Fall uint8 `yaml:"fall,omitempty"`
	// Jitter is the percentage by which an interval may be shorter.
	Jitter uint8 `yaml:"jitter"`
	// SlowStart is how long a backend that came up gets less than its share.
	SlowStart Duration `yaml:"slow_start"`

	// Port is the port to probe; the backend's own if left out. It is required if the backends keep the
	// ports of a range, except for the types icmp and script, and for SCTP, except also for port and sctp.
	Port uint16 `yaml:"port"`
	// Path is the path that http and https request.
	Path string `yaml:"path,omitempty"`
	// Host is the Host header of http and https, the authority of grpc and grpcs, and the name that TLS asks for; the
	// backend's address if left out.
	Host string `yaml:"host"`
	// Status is the range of statuses that http and https accept.
	Status Statuses `yaml:"status,omitempty"`
	// Body is a text that the answer to http and https must contain.
	Body string `yaml:"body"`
	// GRPCService is the service that grpc and grpcs ask about; the whole server if left out.
	GRPCService string `yaml:"grpc_service"`
	// Command is the program and arguments of script, which succeeds if it exits with 0.
	Command []string `yaml:"command,omitempty"`

	// OnDown is the handling of the flows of a backend that is down: keep or move.
	OnDown OnDown `yaml:"on_down,omitempty"`
	// AllDown is the handling of new flows while no backend serves: silent drops them; refuse
	// answers with a RST, an ABORT or a port unreachable.
	AllDown AllDown `yaml:"all_down,omitempty"`
}

// CheckType is the type of a probe.
type CheckType string

const (
	CheckNone   CheckType = "none"
	CheckPort   CheckType = "port" // TCP: a connection; UDP: a datagram without a port unreachable, and a ping; SCTP: an INIT
	CheckTCP    CheckType = "tcp"  // a TCP connection, also to the backend of a UDP service
	CheckSCTP   CheckType = "sctp" // an SCTP INIT, which an INIT ACK answers
	CheckHTTP   CheckType = "http"
	CheckHTTPS  CheckType = "https"
	CheckGRPC   CheckType = "grpc"  // grpc.health.v1
	CheckGRPCS  CheckType = "grpcs" // the same over TLS
	CheckICMP   CheckType = "icmp"
	CheckScript CheckType = "script"
)

func (CheckType) noun() string { return "a check" }
func (CheckType) allowed() []string {
	return []string{"none", "port", "tcp", "sctp", "http", "https", "grpc", "grpcs", "icmp", "script"}
}
func (c CheckType) offered() []string { return c.allowed() }

// OnDown says whether the flows of a backend that is down are kept or moved.
type OnDown string

const (
	// OnDownKeep keeps them: a connection waits for its backend.
	OnDownKeep OnDown = "keep"
	// OnDownMove moves UDP flows: the next datagram chooses another backend.
	OnDownMove  OnDown = "move"
	onDownReset OnDown = "reset"
)

func (OnDown) noun() string      { return "a policy" }
func (OnDown) allowed() []string { return []string{"keep", "move", "reset"} }
func (OnDown) offered() []string { return []string{"keep", "move"} }

// AllDown is how new flows are handled while no backend of their service serves.
type AllDown string

const (
	AllDownSilent AllDown = "silent" // it is dropped
	AllDownRefuse AllDown = "refuse" // TCP: a RST; SCTP: an ABORT; UDP: a port unreachable
)

func (AllDown) noun() string        { return "a policy" }
func (AllDown) allowed() []string   { return []string{"silent", "refuse"} }
func (a AllDown) offered() []string { return a.allowed() }

// Statuses is an inclusive range of HTTP statuses, written "200-399" or "200".
type Statuses struct{ First, Last int }

func (s Statuses) String() string { return fmt.Sprintf("%d-%d", s.First, s.Last) }

// MarshalText implements encoding.TextMarshaler.
func (s Statuses) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// IsZero omits an unset range from a written file.
func (s Statuses) IsZero() bool { return s == Statuses{} }

func parseStatuses(text string) (Statuses, bool) {
	first, last, ranged := strings.Cut(text, "-")
	if !ranged {
		last = first
	}
	f, errFirst := strconv.Atoi(strings.TrimSpace(first))
	l, errLast := strconv.Atoi(strings.TrimSpace(last))
	return Statuses{f, l}, errFirst == nil && errLast == nil && 100 <= f && f <= l && l <= 599
}

func defaultCheck() Check {
	return Check{
		Type: CheckNone, Interval: Duration(time.Second), Rise: 2, Fall: 3, Jitter: 10,
		Path: "/", Status: Statuses{200, 399}, AllDown: AllDownSilent,
	}
}

// inheritChecks fills in each service's check from the file's.
func inheritChecks(d *document, c *Config) {
	for i := range c.Services {
		of, from := reflect.ValueOf(&c.Services[i].Check).Elem(), reflect.ValueOf(c.Check)
		for _, f := range fieldsOf(of.Type()) {
			if !d.has(index("services", i) + ".check." + f.name) {
				of.Field(f.index).Set(from.Field(f.index))
			}
		}
		check := &c.Services[i].Check
		if check.Timeout == 0 {
			check.Timeout = check.Interval / 2
		}
		if check.OnDown == "" {
			check.OnDown = OnDownKeep
			if c.Services[i].Proto == UDP {
				check.OnDown = OnDownMove
			}
		}
	}
}

const (
	minCheckInterval = 10 * time.Millisecond
	maxCheckInterval = time.Hour
	maxJitter        = 50
)

// checkKey returns where the file sets a key of a service's check: there, or in the check that the
// service inherits.
func checkKey(d *document, service, key string) string {
	if inherited := "check." + key; !d.has(service+"."+inherited) && d.has(inherited) {
		return inherited
	}
	return service + ".check." + key
}

func checkCheck(d *document, at string, s Service) error {
	c := s.Check
	fail := func(key, format string, args ...any) error { return d.fail(checkKey(d, at, key), format, args...) }
	if i := time.Duration(c.Interval); i < minCheckInterval || i > maxCheckInterval {
		return fail("interval", "%v is out of range; use %v to %v", i, minCheckInterval, maxCheckInterval)
	}
	switch {
	case c.Timeout <= 0 || 2*c.Timeout > c.Interval:
		return fail("timeout", "%v is out of range; use at most half of the interval, %v", c.Timeout, c.Interval/2)
	case c.Rise == 0:
		return fail("rise", "0 is out of range; use 1 to 255")
	case c.Fall == 0:
		return fail("fall", "0 is out of range; use 1 to 255")
	case c.Jitter > maxJitter:
		return fail("jitter", "%d is out of range; use 0 to %d percent", c.Jitter, maxJitter)
	case c.SlowStart < 0 || time.Duration(c.SlowStart) > maxCheckInterval:
		return fail("slow_start", "%v is out of range; use 0s to %v", c.SlowStart, maxCheckInterval)
	case c.OnDown == onDownReset:
		return fail("on_down", "%q is not possible: the dataplane resets no connection that is open; use keep, and let clients time out", c.OnDown)
	case c.OnDown == OnDownMove && s.Proto != UDP:
		return fail("on_down", "%q is not possible for %s: no other backend knows the connection; use keep", c.OnDown, s.Proto)
	case s.Proto == SCTP && c.Port == 0 && needsPort(c.Type) && c.Type != CheckPort && c.Type != CheckSCTP:
		return fail("port", "is missing; the backends' own port is one of sctp, so a check of type %s needs another one to probe", c.Type)
	case c.Port == 0 && needsPort(c.Type) && s.Backends[0].Port() == 0:
		return fail("port", "is missing; the backends keep the port of each packet and have none of their own, so a check of type %s needs one to probe", c.Type)
	case c.Type == CheckScript && len(c.Command) == 0:
		return fail("command", "is missing; a check of type script needs program and arguments, as in [/usr/local/bin/check, fast]")
	}
	switch c.Type {
	case CheckHTTP, CheckHTTPS:
		if why := unusablePath(c.Path); why != "" {
			return fail("path", "%q is not a path: %s", c.Path, why)
		}
		fallthrough
	case CheckGRPC, CheckGRPCS:
		if c.Host != "" && !isAuthority(c.Host) {
			return fail("host", "%q is not a host, with or without a port, such as www.example.org or www.example.org:8080", c.Host)
		}
	}
	return nil
}

// unusablePath says why an HTTP request cannot have a path, "" if it can.
func unusablePath(path string) string {
	if !strings.HasPrefix(path, "/") {
		return "it begins with /"
	}
	target, err := url.ParseRequestURI(path)
	var parse *url.Error
	switch {
	case errors.As(err, &parse):
		return parse.Err.Error()
	case strings.Contains(target.Path, "#") && strings.Contains(path, "#"):
		return "a fragment (#) is not sent; write %23 for the character"
	case strings.ContainsAny(path, " \t"):
		return "write %20 for a space"
	}
	return ""
}

// isAuthority reports whether a text is the authority of a URL without a user (RFC 9110 section 7.2).
func isAuthority(host string) bool {
	target, err := url.Parse("//" + host + "/")
	return err == nil && target.Host == host && target.Path == "/" && target.User == nil && target.Hostname() != ""
}

// needsPort reports whether a check of the type probes a port.
func needsPort(t CheckType) bool {
	return t != CheckNone && t != CheckICMP && t != CheckScript && t != ""
}

func checkWeights(d *document, at string, s Service) error {
	if s.Weights != nil && len(s.Weights) != len(s.Backends) {
		return d.fail(at+".weights", "%d weights for %d backends; give one for each backend, in their order", len(s.Weights), len(s.Backends))
	}
	for i, w := range s.Weights {
		if w < 1 || w > dataplane.MaxWeight/10 {
			return d.fail(index(at+".weights", i), "%d is out of range; use 1 to %d, and drain what is to get no new flows", w, dataplane.MaxWeight/10)
		}
	}
	return nil
}

// Health returns the configuration of the service's pool.
func (s Service) Health() health.Config {
	var out health.Config
	if c := s.Check; c.Type != CheckNone && c.Type != "" {
		out.Check = health.Check{
			Interval: time.Duration(c.Interval), Timeout: time.Duration(c.Timeout), Rise: int(c.Rise), Fall: int(c.Fall),
			Jitter: int(c.Jitter), SlowStart: time.Duration(c.SlowStart),
		}
	}
	for i, b := range s.Backends {
		out.Backends = append(out.Backends, health.Backend{Addr: b, Weight: s.weight(i)})
	}
	return out
}

func (s Service) weight(i int) int {
	if s.Weights == nil {
		return 1
	}
	return s.Weights[i]
}

// With returns the service with the given shares of new flows; other backends get none.
func (s Service) With(shares []health.Share) Service {
	s.Backends, s.Weights = make([]netip.AddrPort, len(shares)), make([]int, len(shares))
	for i, share := range shares {
		s.Backends[i], s.Weights[i] = share.Backend, share.Weight
	}
	s.Weights = unequal(s.Weights)
	return s
}
