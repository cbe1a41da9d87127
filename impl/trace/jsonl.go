package trace

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// Write writes the events as JSON lines.
func Write(w io.Writer, events []Event) error {
	buf := bufio.NewWriter(w)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false) // flows read "a>b"
	for i := range events {
		if err := enc.Encode(&events[i]); err != nil {
			return fmt.Errorf("trace: write event %d: %w", i, err)
		}
	}
	return buf.Flush()
}

// Read reads JSON lines until EOF. On a bad line it returns the events before it
// and an error that names the line.
func Read(r io.Reader) ([]Event, error) {
	var events []Event
	scanner := bufio.NewScanner(r)
	scanner.Buffer(make([]byte, 64<<10), 4<<20)
	decoder := NewDecoder()
	for line := 1; scanner.Scan(); line++ {
		e, err := decoder.Decode(scanner.Bytes())
		if err != nil {
			return events, fmt.Errorf("trace: line %d: %w", line, err)
		}
		events = append(events, e)
	}
	return events, scanner.Err()
}

// Sort sorts events by time. Events at the same instant keep their order.
func Sort(events []Event) {
	if !Sorted(events) { // most are, and sorting moves large structs
		slices.SortStableFunc(events, byTime)
	}
}

// Sorted reports whether the events are sorted by time.
func Sorted(events []Event) bool {
	for i := 1; i < len(events); i++ {
		if events[i].At < events[i-1].At {
			return false
		}
	}
	return true
}

func byTime(a, b Event) int { return cmp.Compare(a.At, b.At) }
