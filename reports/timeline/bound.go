package timeline

import "fmt"

// Limits of one run. Lanes with more are merged. Rare events stay: only neighbours with the same tone
// are merged.
const (
	maxSpans  = 400
	maxMarks  = 300
	maxPoints = 600
	maxRSTs   = 2000
)

// bound merges marks and spans of a lane until it is within the limits.
func (b *builder) bound(l *Lane) {
	name := l.Kind + " of " + l.Of
	if n := len(l.Marks); n > maxMarks {
		l.Marks = mergeMarks(l.Marks)
		b.cut("%s: %d marks are drawn as %d", name, n, len(l.Marks))
	}
	if n := len(l.Spans); n > maxSpans {
		l.Spans = mergeSpans(l.Spans)
		b.cut("%s: %d spans are drawn as %d", name, n, len(l.Spans))
	}
	if l.Trips != nil && len(l.Trips.Of) > maxPoints {
		n, every := len(l.Trips.Of), l.Trips.Every
		l.Trips = l.Trips.fewer(maxPoints)
		b.cut("%s: %d stretches of %v are drawn as %d of %v, the worst of each", name, n, every.Duration(), len(l.Trips.Of), l.Trips.Every.Duration())
	}
	for i := range l.Curves {
		if n := len(l.Curves[i].At); n > maxPoints {
			thin(&l.Curves[i])
			b.cut("%s: %s is drawn from %d of %d points", name, l.Curves[i].Name, len(l.Curves[i].At), n)
		}
	}
}

// mergeMarks merges neighbouring marks of the same tone. It doubles the merge distance until there
// are at most maxMarks.
func mergeMarks(marks []Mark) []Mark {
	for near := At(1000); ; near *= 2 {
		var merged []Mark
		last := map[string]int{} // index of the latest mark of each tone
		for _, m := range marks {
			i, ok := last[m.Tone]
			if ok && m.At-merged[i].At < near && (m.RST == 0) == (merged[i].RST == 0) {
				merged[i].Count = max(1, merged[i].Count) + max(1, m.Count)
				continue
			}
			last[m.Tone] = len(merged)
			merged = append(merged, m)
		}
		if len(merged) <= maxMarks {
			for i := range merged {
				if merged[i].Count > 1 {
					merged[i].What = fmt.Sprintf("%d of them, the first: %s", merged[i].Count, merged[i].What)
				}
			}
			return merged
		}
	}
}

// mergeSpans merges runs of short spans into one each, with their number.
func mergeSpans(spans []Span) []Span {
	for near := At(1000); ; near *= 2 {
		var merged []Span
		for _, s := range spans {
			if n := len(merged); n > 0 && s.To-merged[n-1].From < near {
				last := &merged[n-1]
				if last.State != s.State {
					last.State = "changing"
				}
				last.To, last.Count, last.Tone = s.To, max(1, last.Count)+max(1, s.Count), worse(last.Tone, s.Tone)
				continue
			}
			merged = append(merged, s)
		}
		if len(merged) <= maxSpans {
			for i := range merged {
				if merged[i].Count > 1 && merged[i].State == "changing" {
					merged[i].What = fmt.Sprintf("%d changes", merged[i].Count)
				}
			}
			return merged
		}
	}
}

// worse returns the more severe tone.
func worse(a, b string) string {
	for _, tone := range []string{Bad, Warn, Good} {
		if a == tone || b == tone {
			return tone
		}
	}
	return ""
}

// thin divides a curve into equal intervals and keeps the lowest and the highest point of each.
func thin(c *Curve) {
	stretches := maxPoints / 2
	n := len(c.At)
	var at []At
	var values []float64
	for i := range stretches {
		first, end := i*n/stretches, (i+1)*n/stretches
		low, high := first, first
		for j := first; j < end; j++ {
			if c.Values[j] < c.Values[low] {
				low = j
			}
			if c.Values[j] > c.Values[high] {
				high = j
			}
		}
		for _, j := range []int{min(low, high), max(low, high)} {
			if len(at) == 0 || c.At[j] > at[len(at)-1] {
				at, values = append(at, c.At[j]), append(values, c.Values[j])
			}
		}
	}
	c.At, c.Values = at, values
}
