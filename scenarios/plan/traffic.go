package plan

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"baton/impl/flow"
)

// Defaults of traffic lines.
const (
	DefaultSessions    = 100
	DefaultEvery       = 100 * time.Millisecond
	DefaultConnectRate = 100  // a second
	DefaultProbeRate   = 1000 // a second, to measure gaps to a millisecond
	DefaultFlows       = 10_000
	DefaultTransfers   = 4
	DefaultBits        = 10_000_000 // a second, of one transfer
	DefaultSize        = 1_000_000  // bytes
)

// Limits of a transfer's bytes, and of a line's bits a second.
const (
	maxSize = 1_000_000_000
	maxBits = 2_000_000_000
)

// Times of traffic, the same in both worlds.
const (
	// PortionEvery is how often each transfer sends a portion.
	PortionEvery = 10 * time.Millisecond
	// Standstill is how long a transfer may make no progress before it counts as incomplete.
	Standstill = 10 * time.Second
	// NextTransfer is the pause after an incomplete transfer before the next one begins.
	NextTransfer = time.Second
	// LeaveTime is how long a client that stops waits for outstanding answers. It is shorter
	// than the time limit of a receipt.
	LeaveTime = 4 * time.Second
)

// Values of way=: the direction of bulk traffic.
const (
	wayUp   = "up"   // to the backends
	wayDown = "down" // to the clients
)

// Values of close= for sessions and bulk: after all answers, or the sending side first.
const (
	closeFull = "full"
	closeHalf = "half"
)

// Values of close= for connects: which end closes first. CloseReset means that the client sends a
// RST.
const (
	closeClient = "client"
	CloseServer = "server"
	CloseReset  = "reset"
)

// maxPorts limits the source ports of a line of connects.
const maxPorts = 1000

// OwnPort returns a source port of a line of connects. These are below the kernel's ephemeral
// ports.
func OwnPort(line, place int) uint16 { return uint16(1024 + line*maxPorts + place) }

// timeWait is how long the end that closes first keeps its port (RFC 9293 section 3.6.1; Linux:
// TCP_TIMEWAIT_LEN).
const timeWait = time.Minute

// trafficKeys are the keys that each kind of traffic takes, besides its client and its times.
var trafficKeys = map[string][]string{
	Sessions: {"count", "every", "close", "service", "port"},
	Connects: {"every", "rate", "close", "ports", "service", "port"},
	Probe:    {"every", "rate", "service", "port"},
	Flows:    {"count", "rate", "sample", "every", "rebind", "service", "port"},
	Bulk:     {"count", "size", "rate", "way", "close", "service", "port"},
}

// traffic reads NAME KIND [PROTO] KEY=VALUE…. A line without a name has that of its kind.
func (b *builder) traffic(line *trafficLine, guard Guard) {
	words := line.Words
	if len(words) == 1 || len(words) == 2 && slices.Contains(protocols, words[1].Text) {
		words = append([]*word{{Pos: words[0].Pos, Text: words[0].Text}}, words...)
	}
	if len(words) > 3 {
		b.errorf(position(words[3].Pos), "", "unexpected %q; the form is: %s", words[3].Text, mustDirective("traffic").usage)
		return
	}
	t := Traffic{Name: words[0].Text, Guard: guard, Pos: position(words[0].Pos)}
	var ok bool
	if len(words) == 3 && slices.Contains(protocols, words[1].Text) && slices.Contains(kinds, words[2].Text) {
		b.errorf(position(words[1].Pos), words[2].Text+" "+words[1].Text, "the kind comes before the protocol")
		return
	}
	if t.Kind, ok = b.pick(words[1], "kind of traffic", kinds); !ok {
		return
	}
	t.defaults()
	if len(words) == 3 {
		if t.Proto, ok = b.pick(words[2], "protocol", protocols); !ok {
			return
		}
	}
	if !slices.Contains(Protocols(t.Kind), t.Proto) {
		b.errorf(position(words[len(words)-1].Pos), Protocols(t.Kind)[0], "%s cannot be %s", t.Kind, t.Proto)
	}
	b.trafficArgs(&t, line.Args)
	b.plan.Traffic = append(b.plan.Traffic, t)
}

func (b *builder) trafficArgs(t *Traffic, args []*pair) {
	all := map[string]func(*value) error{
		"count": func(v *value) (err error) { t.Count, err = parseCount(v.Text, 1, maxCount); return },
		"rate": func(v *value) (err error) {
			if t.Kind == Bulk {
				t.Rate, err = parseBits(v.Text)
			} else {
				t.Rate, err = parseRate(v.Text)
			}
			return
		},
		"size": func(v *value) (err error) { t.Size, err = parseCount(v.Text, 1, maxSize); return },
		"way": func(v *value) error {
			way, err := choice(wayUp, wayDown)(v.Text)
			t.Up = way == wayUp
			return err
		},
		"every": func(v *value) error {
			every, err := parseDuration(v.Text)
			if err == nil && every < 100*time.Microsecond {
				err = &wrong{message: fmt.Sprintf("%s is shorter than 100us", v.Text)}
			}
			if t.Kind == Sessions || t.Kind == Flows {
				t.Every = every
			} else if err == nil {
				t.Rate = float64(time.Second) / float64(every)
			}
			return err
		},
		"rebind": func(v *value) (err error) { t.Rebind, err = parseDuration(v.Text); return },
		"sample": func(v *value) (err error) { t.Sample, err = parseCount(v.Text, 1, maxSample); return },
		"ports":  func(v *value) (err error) { t.Ports, err = parseCount(v.Text, 1, maxPorts); return },
		"close": func(v *value) error {
			if t.Kind == Connects {
				how, err := choice(closeClient, CloseServer, CloseReset)(v.Text)
				if t.Closer = how; how == closeClient {
					t.Closer = ""
				}
				return err
			}
			how, err := choice(closeFull, closeHalf)(v.Text)
			t.Half = how == closeHalf
			return err
		},
		"service": func(v *value) error { t.Service = v.Text; return nil },
		"port": func(v *value) error {
			port, err := parseCount(v.Text, 1, flow.LastPort)
			t.Port = uint16(port)
			return err
		},
		"client": func(v *value) error { t.Client = v.Text; return nil },
		"from":   func(v *value) (err error) { t.From, err = parseDuration(v.Text); return },
		"until":  func(v *value) (err error) { t.Until, err = parseDuration(v.Text); return },
	}
	keys := append(slices.Clone(trafficKeys[t.Kind]), "client", "from", "until")
	maps.DeleteFunc(all, func(key string, _ func(*value) error) bool { return !slices.Contains(keys, key) })
	if _, ok := all["rate"]; ok && t.Kind != Flows && b.both(args, "rate", "every") {
		return
	}
	b.pairs(args, all)
}

// both refuses two keys with the same meaning.
func (b *builder) both(args []*pair, one, other string) bool {
	var seen []*pair
	for _, arg := range args {
		if arg.Key.Text == one || arg.Key.Text == other {
			seen = append(seen, arg)
		}
	}
	if len(seen) < 2 || seen[0].Key.Text == seen[1].Key.Text {
		return false
	}
	b.errorf(position(seen[1].Key.Pos), "", "%s and %s mean the same; use one", one, other)
	return true
}

// Sends reports whether the line comes from a client.
func (t Traffic) Sends(client string) bool { return t.Client == "" || t.Client == client }

// defaults sets the keys that the line left out.
func (t *Traffic) defaults() {
	t.Proto = Protocols(t.Kind)[0]
	switch t.Kind {
	case Sessions:
		t.Count, t.Every = DefaultSessions, DefaultEvery
	case Connects:
		t.Rate = DefaultConnectRate
	case Probe:
		t.Rate = DefaultProbeRate
	case Flows:
		t.Count = DefaultFlows
	case Bulk:
		t.Count, t.Rate, t.Size = DefaultTransfers, DefaultBits, DefaultSize
	}
}

func mustDirective(word string) directive {
	d, ok := directiveOf(word)
	if !ok {
		panic("plan: no directive " + word)
	}
	return d
}
