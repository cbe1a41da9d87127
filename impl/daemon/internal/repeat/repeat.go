// Package repeat keeps repetitions out of a log. It reads no clock; the transport and
// the recorder ask it about each line that the other end of a wire can cause at will.
package repeat

import "time"

// Every is how long the repetition of a line stays out of the log.
const Every = 10 * time.Second

// maxTexts bounds the memory of lines, parts of which come from outside.
const maxTexts = 64

// Filter remembers when each line was written last. The zero value is ready; it is not
// safe for concurrent use.
type Filter struct{ written map[string]time.Time }

// News reports whether a line is to be written: it is new, or was written long ago.
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
