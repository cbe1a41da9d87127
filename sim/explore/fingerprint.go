package explore

import (
	"cmp"
	"reflect"
	"slices"
	"time"

	"baton/impl/clock"
)

// fingerprint identifies what is essential of a state. It walks all fields of the
// two cores rather than a selection, so that a field that is added to the core is
// part of the state unless a rule below says otherwise.
type fingerprint struct {
	hash    uint64
	now     clock.Instant
	types   types
	counted []counted
}

// counted is a value of which only the order among its like is essential.
type counted struct {
	class string
	value uint64
	place int
}

// immaterial fields say how a node came to be what it is, or repeat what another
// field says: statistics, texts, buffers, the contents of tables (whose digests
// count), the phase of heartbeats (which the detection deadline stands for).
var immaterial = names("cfg", "Path", "now", "stats", "random", "pace", "tx", "poll", "echo", "auth", "drop",
	"told", "why", "Why", "view", "spare", "spares", "effects", "events", "scratch", "slots", "chunks", "buckets", "hasher", "ring",
	"meter", "took", "upAt", "out", "lastID", "ID", "pending", "ordinal", "taken", "gen")

// ordered fields are counters: all that matters is which is larger.
var ordered = map[string]string{
	"epoch": "epoch", "Epoch": "epoch", "seen": "epoch",
	"incarnation": "incarnation", "Incarnation": "incarnation",
	"nonce": "nonce", "rounds": "nonce", "round": "nonce", "sessions": "nonce", "session": "nonce",
	"seq": "seq", "Seq": "seq", "Seen": "seq", "granted": "seq", "rankSeq": "seq",
	"id": "stream",
}

// remembered instants matter after they have passed: how long ago they were, in
// steps of this length, up to ten of them.
var remembered = map[string]time.Duration{
	"lastRx": Beat, "began": hold, "lostAt": 250 * time.Millisecond, "helloAt": 250 * time.Millisecond,
}

func names(all ...string) map[string]bool {
	set := map[string]bool{}
	for _, name := range all {
		set[name] = true
	}
	return set
}

const (
	hashOffset = 14695981039346656037
	hashPrime  = 1099511628211
)

func (f *fingerprint) add(v uint64) {
	f.hash = (f.hash ^ v) * hashPrime
	f.hash ^= f.hash >> 29
}

func (f *fingerprint) flag(b bool) {
	if b {
		f.add(1)
		return
	}
	f.add(0)
}

func (f *fingerprint) text(s string) {
	for i := range len(s) {
		f.add(uint64(s[i]))
	}
	f.add(uint64(len(s)) | 1<<32)
}

// instant adds a point in time as seen from now, rounded: in steps of a beat
// while it is near, in larger ones beyond.
func (f *fingerprint) instant(name string, t clock.Instant) {
	const far = 300 * time.Millisecond
	d := t.Sub(f.now)
	step, memory := remembered[name]
	switch {
	case t == clock.Never:
		f.add(1 << 40)
	case d <= 0 && memory:
		f.add(1<<41 | uint64(min(-d/step, 10)))
	case d <= 0:
		f.add(1 << 42)
	case d < far:
		f.add(1<<43 | uint64(d/Beat))
	default:
		f.add(1<<44 | uint64(min(d/(500*time.Millisecond), 10)))
	}
}

var instantType = reflect.TypeFor[clock.Instant]()

func (f *fingerprint) value(name string, v reflect.Value) {
	if v.Type() == instantType {
		f.instant(name, clock.Instant(v.Int()))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		f.flag(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		f.add(uint64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		f.number(name, v.Uint())
	case reflect.String:
		f.text(v.String())
	case reflect.Struct:
		for _, field := range f.types.material(v.Type()) {
			f.value(field.name, v.Field(field.index))
		}
	case reflect.Slice, reflect.Array:
		f.add(uint64(v.Len()))
		for i := range v.Len() {
			f.value(name, v.Index(i))
		}
	case reflect.Pointer:
		f.flag(v.IsNil())
		if !v.IsNil() {
			f.value(name, v.Elem())
		}
	case reflect.Map:
		f.entries(v)
	}
}

func (f *fingerprint) number(name string, n uint64) {
	class, ok := ordered[name]
	if !ok || n == 0 {
		f.add(n)
		return
	}
	f.counted = append(f.counted, counted{class, n, len(f.counted)})
}

// entries adds the entries of a map as a sum, which no order changes.
func (f *fingerprint) entries(v reflect.Value) {
	sum := uint64(0)
	for entries := v.MapRange(); entries.Next(); {
		one := fingerprint{hash: hashOffset, now: f.now, types: f.types}
		one.value("", entries.Key())
		one.value("", entries.Value())
		sum += one.hash
	}
	f.add(sum)
}

// sum closes the fingerprint: counters enter by their rank among their class. With
// absolute, the counters enter by their values: frames are on their way, and name them.
func (f *fingerprint) sum(absolute bool) uint64 {
	slices.SortFunc(f.counted, func(a, b counted) int {
		return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.value, b.value), cmp.Compare(a.place, b.place))
	})
	rank, last := uint64(0), counted{}
	for _, c := range f.counted {
		if c.class != last.class {
			rank = 0
		} else if c.value != last.value {
			rank++
		}
		last = c
		f.add(uint64(c.place)<<8 | rank)
		if absolute {
			f.add(c.value)
		}
	}
	return f.hash
}
