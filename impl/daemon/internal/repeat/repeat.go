// Package repeat suppresses repeated log lines. It reads no clock. The transport and the
// recorder use it for lines that the other end can trigger at will.
package repeat

import "time"

// Every is how long a repeated line is suppressed.
const Every = 10 * time.Second

// maxTexts limits the memory, since parts of the lines come from outside.
const maxTexts = 64

// Filter remembers when each line was last written. The zero value is ready; it is not safe
// for concurrent use.
type Filter struct{ written map[string]time.Time }

// News reports whether a line must be written: it is new, or was last written long ago.
func (f *Filter) News(text string, now time.Time) bool {
	if last, known := f.written[text]; known && now.Sub(last) < Every {
		return false
	}
	if f.written == nil || len(f.written) >= maxTexts {
		f.written = map[string]time.Time{}
	}
	f.written[text] = now
	return true
}
