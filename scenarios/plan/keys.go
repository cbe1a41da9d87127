package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton/scenarios/fault"
	"baton/scenarios/lab"
)

// Key is a configuration key that a config line may set.
type Key struct {
	Name    string   // canonical; a scenario may use the last component alone
	Also    []string // names in other programs; an error message suggests Name for them
	Default string   // the value if no line sets it, unless NodeDefault has one for the node
	// NodeDefault overrides Default for single nodes.
	NodeDefault map[string]string
	// Values lists the words that are allowed; empty for quantities.
	Values []string
	// Unsafe values re-create historical bugs: they exist for control scenarios.
	Unsafe []string
	// Hosts says that the values are names of hosts; each world knows their addresses.
	Hosts bool
	// Simulated says that only the simulator supports it.
	Simulated bool
	Doc       string
	// Section is the section of the RFC that limits the value, if any.
	Section string

	quantity func(text string) (canonical string, err error)
}

// parse returns the canonical form of a value.
func (k Key) parse(text string) (string, error) {
	if k.quantity != nil {
		canonical, err := k.quantity(text)
		if refused, ok := err.(*wrong); ok && k.Section != "" {
			err = &wrong{message: refused.message + " (" + k.Section + ")", suggestion: refused.suggestion}
		}
		return canonical, err
	}
	return choice(slices.Concat(k.Values, k.Unsafe)...)(text)
}

// KeySubject is the key of the subject. The subject's options have keys with this prefix and a dot.
const (
	KeySubject       = "subject"
	referenceSubject = "reference"
)

// Keys that lint compares with other lines.
const (
	keyChallenge     = "limits.syn_challenge"
	keyCheck         = "check.type"
	checkNone        = "none"
	keyDefer         = "sync.defer"
	deferEstablished = "established"
)

// KeyPin is the key for pinning: with PinOn the table outlives the process.
const (
	KeyPin = "pin"
	PinOn  = "on"
)

// KeySNATPorts is the key of the range of SNAT ports.
const KeySNATPorts = "snat_ports"

// Pins reports whether a node's table and programs outlive its process.
func (p *Plan) Pins(world, node string) bool { return p.Value(world, node, KeyPin) == PinOn }

// keyDataplane is the key that says where established flows are forwarded.
const (
	keyDataplane = "dataplane"
	dataplaneTCX = "tcx"
)

// UsesXDP reports whether a node may forward by XDP.
func (p *Plan) UsesXDP(world string) bool {
	return slices.ContainsFunc(lab.Nodes(), func(node string) bool { return p.Value(world, node, keyDataplane) != dataplaneTCX })
}

// EndsLease reports whether a node stops forwarding at once because of a verb. Pinned programs
// forward until the end of the lease, unless the host loses power.
func (p *Plan) EndsLease(world, node, verb string) bool {
	return fault.Ends(verb) && (!p.Pins(world, node) || fault.Unpowers(verb))
}

// option returns the key of a subject's option. Only the subject knows its options and their
// values.
func option(name string) (Key, bool) {
	rest, ok := strings.CutPrefix(name, KeySubject+".")
	return Key{Name: name, quantity: plainWord}, ok && rest != ""
}

const (
	keyArbiter = "arbiter.validity"
	keyPolicy  = "arbiter.policy"
	keyGateway = "arbiter.gateway"
	failClosed = "fail-closed"
)

// Keys is the table of configuration keys.
var Keys = []Key{
	{Name: KeySubject, Default: referenceSubject, quantity: plainWord, Doc: "what is under test: `reference`, `keepalived`, `ucarp`, `vrrpd`; `subject.OPTION` sets an option of it, see subjects.md"},
	{Name: "bfd.tx", Also: []string{"transmit-interval", "min-tx", "min_tx", "advert_int", "hello", "interval"}, Default: "50ms", quantity: interval(time.Millisecond, 10*time.Second), Section: "RFC 5880 4.1", Doc: "DesiredMinTxInterval"},
	{Name: "bfd.rx", Also: []string{"receive-interval", "min-rx", "min_rx"}, Default: "50ms", quantity: interval(time.Millisecond, 10*time.Second), Section: "RFC 5880 4.1", Doc: "RequiredMinRxInterval"},
	{Name: "bfd.mult", Also: []string{"detect-multiplier", "multiplier", "detect_mult"}, Default: "3", quantity: whole(1, 255), Section: "RFC 5880 6.8.1", Doc: "DetectMult"},
	{Name: "ha.hold", Also: []string{"preempt_delay", "hold_time", "hold-down", "startup_delay"}, Default: "500ms", quantity: span(0, 10*time.Minute), Doc: "recovery delay before a claim after boot, fault or demotion"},
	{Name: "ha.priority", Default: "100", NodeDefault: map[string]string{"lb1": "150"}, quantity: whole(1, 254), Doc: "VRRP's priority: between nodes with equal tables the higher is preferred"},
	{Name: "ha.preempt", Also: []string{"nopreempt", "preemption"}, Default: "never", Values: []string{"never", "after-sync"}, Unsafe: []string{"immediate"}, Doc: "whether the preferred node requests the role again"},
	{Name: "ha.gates", Default: "on", Values: []string{"on"}, Unsafe: []string{"off"}, Doc: "whether a claim waits for its gates"},
	{Name: "ha.announce", Default: "after-install", Values: []string{"after-install"}, Unsafe: []string{"before-install"}, Doc: "when a new Master sends gratuitous ARPs"},
	{Name: "track.targets", Default: noTargets, Hosts: true, quantity: trackable, Doc: "hosts that the node must reach: `backends`, `clients`, or a host such as `backend1`. If one does not answer, the gate Reachable closes"},
	{Name: "track.every", Default: "100ms", quantity: span(10*time.Millisecond, time.Minute), Doc: "time between two probes of a target"},
	{Name: "track.misses", Default: "3", quantity: whole(1, 255), Doc: "after so many unanswered probes in a row a target is lost; after as many answers it is reached again"},
	{Name: keyCheck, Default: checkNone, Values: []string{checkNone, "port"}, Doc: "whether backends are probed. `port` opens a TCP connection, or sends an SCTP INIT, which an ABORT refuses; for udp it pings the host, and an ICMP port unreachable is a failure"},
	{Name: "check.interval", Default: "1s", quantity: span(10*time.Millisecond, time.Hour), Doc: "time between two probes of a backend"},
	{Name: "check.timeout", Default: "500ms", quantity: span(time.Millisecond, time.Hour), Doc: "how long a probe may take: at most half of the interval"},
	{Name: "check.rise", Default: "2", quantity: whole(1, 255), Doc: "answers in a row that bring a backend up"},
	{Name: "check.fall", Default: "3", quantity: whole(1, 255), Doc: "failures in a row that take a backend down"},
	{Name: "check.jitter", Default: "10", quantity: whole(0, 50), Doc: "percentage by which an interval may be shorter"},
	{Name: "check.slow_start", Default: "0s", quantity: span(0, time.Hour), Doc: "how long a backend that came up gets less than its share of new flows"},
	{Name: "check.all_down", Default: "silent", Values: []string{"silent", "refuse"}, Doc: "how a new flow is handled while no backend serves: dropped, or answered with a RST or an ICMP port unreachable"},
	{Name: keyArbiter, Default: "0s", Simulated: true, quantity: span(0, time.Hour), Doc: "the pair has an arbiter, and its permission to act alone is valid for this time, at least twice the detection time. Only the simulator has one"},
	{Name: keyPolicy, Default: failClosed, Values: []string{failClosed, "keep-serving"}, Simulated: true, Doc: "what a MASTER does that loses its peer while the arbiter does not answer: it stops, or goes on"},
	{Name: keyGateway, Default: noTargets, Hosts: true, quantity: gatewayHost, Doc: "the host that is the pair's arbiter instead: a node that does not reach it neither claims nor serves alone. It is probed like a target of `track`"},
	{Name: "sync.version", Default: strconv.Itoa(fault.NewestProtocol), quantity: whole(1, fault.NewestProtocol), Doc: "newest version of the sync protocol that the node offers"},
	{Name: keyDefer, Default: "none", Values: []string{"none", deferEstablished}, Doc: "which packets wait until the peer has acknowledged their flow: the reply that tells a client that its flow is established"},
	{Name: "sync.defer_limit", Default: "5ms", quantity: span(100*time.Microsecond, 500*time.Millisecond), Doc: "how long such a packet waits at most"},
	{Name: "max_flows", Default: "131072", quantity: whole(1, maxCount), Doc: "capacity of the connection table"},
	{Name: KeySNATPorts, Default: "20000-59999", quantity: portRange, Doc: "source ports of fullnat flows for each SNAT address and backend; each node has one half"},
	{Name: keyDataplane, Default: dataplaneTCX, Values: []string{dataplaneTCX, "xdp", "auto"}, Doc: "where established flows are forwarded. With another value than `tcx` the hosts send whole checksums, and the switches take what XDP redirects. The simulator's dataplane has one way"},
	{Name: "limits.flows", Default: "0", quantity: whole(0, maxCount), Doc: "flows that each service may have in the table; 0 is no limit"},
	{Name: "limits.embryonic", Default: "0", quantity: whole(0, maxCount), Doc: "flows of each service that may be without an answer"},
	{Name: "limits.source_flows", Default: "0", quantity: whole(0, maxCount), Doc: "flows that each source may have to a service"},
	{Name: "limits.source_embryonic", Default: "0", quantity: whole(0, maxCount), Doc: "flows of each source to a service that may be without an answer"},
	{Name: keyChallenge, Default: "0", quantity: whole(0, maxCount), Doc: "flows of each service without an answer from which on sources have to answer a challenge; 0 is never"},
	{Name: KeyPin, Default: "off", Values: []string{"off", PinOn}, Doc: "whether table and programs stay in the kernel when the process ends, so that the next process adopts them"},
	{Name: "timeouts.syn_sent", Default: "60s", quantity: span(time.Second, maxDuration), Doc: "lifetime of an entry in that state"},
	{Name: "timeouts.established", Default: "7440s", quantity: span(time.Second, maxDuration), Doc: "lifetime of an entry in that state"},
	{Name: "timeouts.fin_wait", Default: "7440s", quantity: span(time.Second, maxDuration), Doc: "lifetime of an entry in that state"},
	{Name: "timeouts.direct_fin_wait", Default: "120s", quantity: span(time.Second, maxDuration), Doc: "lifetime of a half-closed flow of a dsr-l2 or dsr-ipip service, whose other direction the node does not see"},
	{Name: "timeouts.closed", Default: "10s", quantity: span(time.Second, maxDuration), Doc: "lifetime of an entry in that state"},
	{Name: "timeouts.unreplied", Default: "30s", quantity: span(time.Second, maxDuration), Doc: "lifetime of an entry in that state"},
	{Name: "timeouts.assured", Default: "120s", quantity: span(time.Second, maxDuration), Doc: "lifetime of an entry in that state"},
}

// KeyOf finds a key by its name or by its last component.
func KeyOf(name string) (Key, bool) {
	if k, ok := option(name); ok {
		return k, true
	}
	for _, k := range Keys {
		if k.Name == name || strings.HasSuffix(k.Name, "."+name) {
			return k, true
		}
	}
	return Key{}, false
}

// keyCalled returns the name of a key that other programs call name, "" if there is none.
func keyCalled(name string) string {
	last := name[strings.LastIndex(name, ".")+1:]
	i := slices.IndexFunc(Keys, func(k Key) bool { return slices.Contains(k.Also, strings.ToLower(last)) })
	if i < 0 {
		return ""
	}
	return Keys[i].Name
}

// keyWords lists all spellings of keys, for suggestions.
func keyWords() []string {
	var words []string
	for _, k := range Keys {
		words = append(words, k.Name)
		if _, last, ok := strings.Cut(k.Name, "."); ok {
			words = append(words, last)
		}
	}
	return words
}

// IsUnsafe reports whether the setting re-creates a historical bug.
func (s Setting) IsUnsafe() bool {
	k, ok := KeyOf(s.Key)
	return ok && slices.Contains(k.Unsafe, s.Value)
}

// plainWord accepts names of subjects and values of their options.
func plainWord(text string) (string, error) {
	for _, r := range text {
		if !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-') {
			return "", &wrong{message: fmt.Sprintf("%q may have only lower-case letters, digits and hyphens", text)}
		}
	}
	return text, nil
}

func span(low, high time.Duration) func(string) (string, error) {
	return func(text string) (string, error) {
		d, err := parseDuration(text)
		if err != nil {
			return "", err
		}
		if d < low || d > high {
			return "", &wrong{message: fmt.Sprintf("%s is outside of %s to %s", text, formatDuration(low), formatDuration(high))}
		}
		return formatDuration(d), nil
	}
}

// interval is a span that a BFD packet can carry: whole microseconds.
func interval(low, high time.Duration) func(string) (string, error) {
	within := span(low, high)
	return func(text string) (string, error) {
		canonical, err := within(text)
		if d, _ := time.ParseDuration(canonical); err == nil && d%time.Microsecond != 0 {
			return "", &wrong{message: text + " is not a whole number of microseconds", suggestion: formatDuration(d.Round(time.Microsecond))}
		}
		return canonical, err
	}
}

func whole(low, high int) func(string) (string, error) {
	return func(text string) (string, error) {
		n, err := parseCount(text, low, high)
		return fmt.Sprint(n), err
	}
}

// portRange accepts a range of ports that two nodes can share.
func portRange(text string) (string, error) {
	if _, _, ok := cutRange(text); !ok {
		return "", &wrong{message: fmt.Sprintf("%q is not a range of two or more ports from 1024 on, such as 20000-59999", text)}
	}
	return text, nil
}

func cutRange(text string) (first, last int, ok bool) {
	low, high, _ := strings.Cut(text, "-")
	first, errLow := strconv.Atoi(low)
	last, errHigh := strconv.Atoi(high)
	return first, last, errLow == nil && errHigh == nil && first >= 1024 && first < last && last <= 65535
}

// SNATPorts is the range of SNAT ports of both nodes.
func (p *Plan) SNATPorts(world string) (first, last uint16) {
	low, high, _ := cutRange(p.Value(world, lab.Nodes()[0], KeySNATPorts))
	return uint16(low), uint16(high)
}

// SNATs is how many SNAT addresses the services of a family have in a world.
func (p *Plan) SNATs(world string, f lab.Family) int {
	most := 0
	for _, s := range p.Services {
		if s.Family() == f && s.Guard.In(world) {
			most = max(most, s.SNAT)
		}
	}
	return most
}

func choice(values ...string) func(string) (string, error) {
	return func(text string) (string, error) {
		if slices.Contains(values, text) {
			return text, nil
		}
		return "", &wrong{
			message:    fmt.Sprintf("%q is not %s", text, oneOf(values)),
			suggestion: Nearest(text, values),
		}
	}
}
