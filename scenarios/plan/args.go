package plan

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton/scenarios/fault"
	"baton/scenarios/link"
)

// args reads the keys of a fault.
func (b *builder) args(verb fault.Verb, line *faultLine, f *Fault) {
	set := map[string]string{}
	before := len(b.found)
	for _, pair := range slices.Concat(line.Args, line.More) {
		if name := pair.Key.Text; name == "for" || name == "every" || name == "via" && verb.On == fault.Wires {
			b.errorf(position(pair.Key.Pos), name+" "+pair.Value.Text, "%s takes no =; the form is: %s", name, verb.Usage())
			return
		}
		if len(verb.Keys) == 0 {
			b.errorf(position(pair.Key.Pos), "", "unexpected %q; the form is: %s", pair.Key.Text, verb.Usage())
			return
		}
		name, ok := b.pick(pair.Key, "key of "+verb.Word, verb.KeyNames())
		if !ok {
			continue
		}
		key, _ := verb.Key(name)
		if _, twice := set[name]; twice {
			b.errorf(position(pair.Key.Pos), "", "%s is set twice", name)
		}
		canonical, err := argument(key, pair.Value.Text)
		if err != nil {
			b.refuse(pair.Value.Pos, name, err)
		}
		set[name] = canonical // a value that is refused does not make the key missing
	}
	for _, key := range verb.Keys {
		value, is := set[key.Name]
		if _, there := set[key.Needs]; is && key.Needs != "" && !there {
			b.errorf(position(line.Pos), "", "%s has no effect without %s", key.Name, key.Needs)
		}
		if is {
			f.Args = append(f.Args, Arg{key.Name, value})
		}
	}
	if len(b.found) > before {
		return
	}
	if verb.Wants && len(f.Args) == 0 {
		b.errorf(position(line.Pos), "", "%s: say %s; the form is: %s", verb.Word, oneOf(verb.KeyNames()), verb.Usage())
		return
	}
	if why := f.idle(); why != "" {
		b.errorf(position(line.Pos), "", "%s: %s", verb.Word, why)
	}
	params, _ := f.Wire()
	switch err := params.Validate(); {
	case err != nil && f.Arg(fault.KeyBurst) != "":
		b.errorf(position(line.Pos), "", "%s: bursts of %s packets cannot add up to a loss of %s", verb.Word, f.Arg(fault.KeyBurst), line.Amount.Text)
	case err != nil:
		b.errorf(position(line.Pos), "", "%s: %v", verb.Word, strings.TrimPrefix(err.Error(), "link: "))
	}
}

// argument reads the value of a key.
func argument(key fault.Key, text string) (canonical string, err error) {
	switch key.Of {
	case fault.Span:
		return span(0, 10*time.Second)(text)
	case fault.Share:
		return share(text)
	case fault.Count:
		return whole(key.Low, key.High)(text)
	case fault.LineRate:
		return lineRate(text)
	}
	return choice(key.Choices...)(text)
}

// bitUnits are the units of rates in bits a second, the largest first.
var bitUnits = []struct {
	name string
	bits float64
}{{"gbit", 1e9}, {"mbit", 1e6}, {"kbit", 1e3}, {"bit", 1}}

// lineRate reads a rate in bits or in packets a second.
func lineRate(text string) (string, error) {
	if strings.Contains(text, "/") {
		count, _, _ := strings.Cut(text, "/")
		if _, err := parseNumber(count); err != nil {
			return "", &wrong{message: notLineRate(text), suggestion: meantRate(text, "")}
		}
		f, err := parseRate(text)
		if err != nil {
			return "", err
		}
		return formatRate(f), nil
	}
	for _, unit := range bitUnits {
		digits, ok := strings.CutSuffix(strings.ToLower(text), unit.name)
		if !ok {
			continue
		}
		f, err := parseNumber(digits)
		switch {
		case err != nil:
			return "", &wrong{message: notLineRate(text)}
		case f*unit.bits < 1e3 || f*unit.bits > 100e9:
			return "", &wrong{message: text + " is outside of 1kbit to 100gbit"}
		}
		return formatBits(f * unit.bits), nil
	}
	meant := meantRate(text, "")
	if _, err := parseNumber(text); err == nil {
		meant = text + "mbit"
	}
	return "", &wrong{message: notLineRate(text), suggestion: meant}
}

func notLineRate(text string) string {
	return fmt.Sprintf("%q is not a rate such as 10mbit or 30/s", text)
}

// parseBits reads a rate in bits a second.
func parseBits(text string) (float64, error) {
	canonical, err := lineRate(text)
	if err != nil || strings.Contains(text, "/") {
		return 0, &wrong{message: fmt.Sprintf("%q is not a rate such as 10mbit", text), suggestion: meantRate(text, "bit")}
	}
	return float64(bits(canonical)), nil
}

func formatBits(bits float64) string {
	for _, unit := range bitUnits {
		if whole := bits / unit.bits; whole == math.Trunc(whole) {
			return formatNumber(whole) + unit.name
		}
	}
	return formatNumber(math.Trunc(bits)) + "bit"
}

// Arg is the value of a key, "" if it is not set.
func (f Fault) Arg(key string) string {
	i := slices.IndexFunc(f.Args, func(a Arg) bool { return a.Key == key })
	if i < 0 {
		return ""
	}
	return f.Args[i].Value
}

// Keys lists the keys that are set.
func (f Fault) Keys() []string {
	keys := make([]string, len(f.Args))
	for i, a := range f.Args {
		keys[i] = a.Key
	}
	return keys
}

// Backends is how many backends each service has after a reload, false if the reload does not
// change them.
func (f Fault) Backends() (n int, changed bool) {
	text := f.Arg(fault.KeyBackends)
	return int(numeric(text)), text != ""
}

// Drained is the number of the backend that a node drains, and the time to the deadline.
func (f Fault) Drained() (backend int, deadline time.Duration) {
	return int(numeric(f.Arg(fault.KeyBackend))), orSpan(f.Arg(fault.KeyDeadline), 0)
}

// Version is the newest version of the sync protocol that an upgraded node offers, 0 if the
// upgrade does not change it.
func (f Fault) Version() int { return int(numeric(f.Arg(fault.KeyVersion))) }

// Breaks reports whether a step makes calls of a node's dataplane fail.
func (p *Plan) Breaks() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return fault.UndoOf(s.Verb) == fault.Mend })
}

// Defaults of keys.
const (
	holdBack = 5 * time.Millisecond
	queue    = 100 * time.Millisecond
	turn     = 100 * time.Millisecond
)

// Wire is the impairment that the fault sets on each direction that it names, false if it needs
// no wire.
func (f Fault) Wire() (link.Params, bool) {
	switch f.Verb {
	case fault.Delay:
		return link.Params{Delay: f.Time, Jitter: timed(f.Arg(fault.KeyJitter))}, true
	case fault.Duplicate:
		return link.Params{Duplicate: f.Share}, true
	case fault.Reorder:
		return link.Params{Reorder: f.Share, HoldBack: orSpan(f.Arg(fault.KeyAfter), holdBack)}, true
	case fault.Corrupt:
		return link.Params{Corrupt: f.Share}, true
	case fault.Lose:
		burst := numeric(f.Arg(fault.KeyBurst))
		return link.Params{Burst: link.Bursts(f.Share, burst, orShare(f.Arg(fault.KeyBad), 1), numeric(f.Arg(fault.KeyGood)))}, burst > 0
	case fault.Limit:
		return f.limit(), true
	}
	return link.Params{}, false
}

// limit has the link parameters of a limit. A rate in packets is a policer: it has no queue.
func (f Fault) limit() link.Params {
	p := link.Params{MTU: int(numeric(f.Arg(fault.KeyMTU))), Tell: f.Arg(fault.KeyOversize) == fault.OversizeTell}
	rate := f.Arg(fault.KeyRate)
	if packets, policed := strings.CutSuffix(rate, "/s"); policed {
		p.Packets, p.Queue = numeric(packets), max(timed(f.Arg(fault.KeyQueue)), time.Nanosecond)
	} else if rate != "" {
		p.Rate, p.Queue = bits(rate), orSpan(f.Arg(fault.KeyQueue), queue)
	}
	return p
}

// Ration is the share of each period in which a starved process runs, 0 if CPU is not limited.
func (f Fault) Ration() (share float64, period time.Duration) {
	return numeric(f.Arg(fault.KeyCPU)), orSpan(f.Arg(fault.KeyPeriod), turn)
}

// minRun is the shortest time for which a starved process may run in a period.
const minRun = time.Millisecond

// idle says why a CPU limit is invalid, "" for a valid one.
func (f Fault) idle() string {
	share, period := f.Ration()
	run := time.Duration(share * float64(period))
	switch {
	case f.Arg(fault.KeyCPU) == "":
		return ""
	case share >= 1:
		return "cpu=" + f.Arg(fault.KeyCPU) + " limits nothing"
	case run < minRun:
		return fmt.Sprintf("the process would run for %s of each period, less than %s; to stop it, use %s", formatDuration(run), formatDuration(minRun), fault.Freeze)
	}
	return ""
}

// Files is how many more files a starved process can open, false if files are not limited.
func (f Fault) Files() (more int, limited bool) {
	text := f.Arg(fault.KeyFiles)
	return int(numeric(text)), text != ""
}

// Memory is how many more bytes of memory a starved process can have, 0 if memory is not limited.
func (f Fault) Memory() uint64 { return uint64(numeric(f.Arg(fault.KeyMemory))) << 20 }

// bits converts a canonical rate to bits a second.
func bits(canonical string) int64 {
	for _, unit := range bitUnits {
		if digits, ok := strings.CutSuffix(canonical, unit.name); ok {
			f, _ := strconv.ParseFloat(digits, 64) // the parser checked it
			return int64(f * unit.bits)
		}
	}
	return 0
}

func orSpan(canonical string, other time.Duration) time.Duration {
	if canonical == "" {
		return other
	}
	return timed(canonical)
}

func orShare(canonical string, other float64) float64 {
	if canonical == "" {
		return other
	}
	return numeric(canonical)
}
