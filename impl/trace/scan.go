package trace

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf8"

	"baton/impl/clock"
)

// scan parses JSON in the form that Write writes: no spaces, no escapes, no null. It sets
// bad at anything else, and the line is left to encoding/json.
type scan struct {
	rest []byte
	bad  bool
	// known holds the strings read so far, so that repeated names and flows share memory.
	known map[string]string
}

// knownMax limits the size of known, because a hostile trace may have any number of strings.
const knownMax = 1 << 16

// take consumes c if it is next.
func (s *scan) take(c byte) bool {
	if len(s.rest) == 0 || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *scan) want(c byte) {
	if !s.take(c) {
		s.bad = true
	}
}

// object reads an object. It calls field after each key, to read the value.
func (s *scan) object(field func(key []byte)) {
	s.want('{')
	if s.take('}') {
		return
	}
	for !s.bad {
		key := s.text()
		s.want(':')
		if s.bad {
			return
		}
		field(key)
		if s.take('}') {
			return
		}
		s.want(',')
	}
}

// text reads a string without escapes. The result is a part of the line.
func (s *scan) text() []byte {
	s.want('"')
	if s.bad {
		return nil
	}
	end := bytes.IndexByte(s.rest, '"')
	if end < 0 {
		s.bad = true
		return nil
	}
	text := s.rest[:end]
	ascii := true
	for _, c := range text {
		if c < ' ' || c == '\\' {
			s.bad = true
			return nil
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	if !ascii && !utf8.Valid(text) {
		s.bad = true
		return nil
	}
	s.rest = s.rest[end+1:]
	return text
}

func (s *scan) string() string {
	text := s.text()
	if known, ok := s.known[string(text)]; ok {
		return known
	}
	made := string(text)
	if len(s.known) < knownMax {
		s.known[made] = made
	}
	return made
}

func (s *scan) strings() []string { return listOf(s, s.string) }

// listOf reads an array.
func listOf[T any](s *scan, read func() T) []T {
	s.want('[')
	list := []T{}
	if s.take(']') {
		return list
	}
	for !s.bad {
		list = append(list, read())
		if s.take(']') {
			return list
		}
		s.want(',')
	}
	return list
}

// unsigned reads a number without leading zeros of at most 19 digits, which fits in 64 bits.
func (s *scan) unsigned() uint64 {
	var n uint64
	digits := 0
	for digits < len(s.rest) && s.rest[digits] >= '0' && s.rest[digits] <= '9' {
		n = n*10 + uint64(s.rest[digits]-'0')
		digits++
	}
	if digits == 0 || digits > 19 || digits > 1 && s.rest[0] == '0' {
		s.bad = true
		return 0
	}
	s.rest = s.rest[digits:]
	return n
}

func (s *scan) integer() int64 {
	negative := s.take('-')
	n := s.unsigned()
	switch {
	case negative && n <= 1<<63:
		return -int64(n)
	case negative || n > 1<<63-1:
		s.bad = true
	}
	return int64(n)
}

func (s *scan) int() int {
	n := s.integer()
	if int64(int(n)) != n {
		s.bad = true
	}
	return int(n)
}

func (s *scan) uint32() uint32 {
	n := s.unsigned()
	if n > 1<<32-1 {
		s.bad = true
	}
	return uint32(n)
}

func (s *scan) instant() clock.Instant { return clock.Instant(s.integer()) }

func (s *scan) float() float64 {
	end := 0
	for end < len(s.rest) && s.rest[end] != ',' && s.rest[end] != '}' {
		end++
	}
	text := s.rest[:end]
	// ParseFloat accepts more than JSON does. A JSON number begins and ends with a digit, after
	// an optional minus sign.
	unsigned := bytes.TrimPrefix(text, []byte("-"))
	if !digit(unsigned, 0) || !digit(unsigned, len(unsigned)-1) || unsigned[0] == '0' && digit(unsigned, 1) ||
		bytes.ContainsAny(unsigned, "_xXpP") || bytes.Contains(unsigned, []byte(".e")) || bytes.Contains(unsigned, []byte(".E")) {
		s.bad = true
		return 0
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		s.bad = true
	}
	s.rest = s.rest[end:]
	return f
}

func digit(text []byte, i int) bool {
	return i >= 0 && i < len(text) && text[i] >= '0' && text[i] <= '9'
}

func (s *scan) bool() bool {
	for _, word := range []string{"true", "false"} {
		if len(s.rest) >= len(word) && string(s.rest[:len(word)]) == word {
			s.rest = s.rest[len(word):]
			return word == "true"
		}
	}
	s.bad = true
	return false
}

func (s *scan) duration() Dur {
	d, err := time.ParseDuration(string(s.text()))
	if err != nil {
		s.bad = true
	}
	return Dur(d)
}
