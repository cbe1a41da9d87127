package capture

import (
	"testing"
	"time"

	"baton/impl/clock"
	"baton/scenarios/evidence"
)

// fill stores count frames of 200 bytes, a microsecond apart, from an instant on.
func fill(h *history, from clock.Instant, count int) {
	frame := make([]byte, 200)
	for i := range count {
		frame[0] = byte(i)
		h.keep(from+clock.Instant(i)*1000, i%7, 1500, frame)
	}
}

// instants are those of the frames that are kept.
func instants(h *history) (at []clock.Instant) {
	h.each(func(f stored) { at = append(at, f.at) })
	return at
}

func held(h *history) (bytes int) {
	for _, c := range h.chunks {
		bytes += cap(c.data)
	}
	return bytes
}

func TestAHistoryKeepsTheLatestInItsBudget(t *testing.T) {
	h := history{budget: 16 * chunkSize}
	const count = 40_000 // several times the budget
	fill(&h, 1, count)
	next := clock.Instant(0)
	frames := 0
	h.each(func(f stored) {
		i := int(f.at-1) / 1000
		if next != 0 && f.at != next {
			t.Fatalf("frame %d follows %d", f.at, next-1000)
		}
		if f.port != i%7 || f.length != 1500 || len(f.data) != 200 || f.data[0] != byte(i) {
			t.Fatalf("frame %d: port %d, length %d, %d bytes, first %d", i, f.port, f.length, len(f.data), f.data[0])
		}
		next, frames = f.at+1000, frames+1
	})
	if next != 1+count*1000 {
		t.Errorf("last frame is at %d, want %d", next-1000, 1+(count-1)*1000)
	}
	if held(&h) > h.budget {
		t.Errorf("%d bytes held, budget %d", held(&h), h.budget)
	}
	if h.forgotten[0].Frames+frames != count || h.forgotten[0].From != 1 {
		t.Errorf("%d frames kept, forgotten %+v: together %d were seen", frames, h.forgotten[0], count)
	}
}

// Whatever follows, the frames nearest to a mark are kept, and the latest frames too.
func TestAMarkKeepsWhatIsAroundIt(t *testing.T) {
	h := history{budget: 16 * chunkSize}
	const count = 40_000
	fill(&h, 1, count)
	marked := clock.Instant(1 + count*1000)
	h.mark(marked)
	fill(&h, marked, count)
	end := marked + clock.Instant(10*time.Second)
	fill(&h, end, count)

	kept := map[clock.Instant]bool{}
	for _, at := range instants(&h) {
		kept[at] = true
	}
	const near = 500 * 1000 // a few hundred frames: well within a quarter of the budget
	for at := marked - near; at < marked+near; at += 1000 {
		if !kept[at] {
			t.Fatalf("the frame %v from the mark is gone", time.Duration(at-marked))
		}
	}
	if last := end + (count-1)*1000; !kept[last] {
		t.Error("the latest frame is gone")
	}
	if held(&h) > h.budget {
		t.Errorf("%d bytes held, budget %d", held(&h), h.budget)
	}
	if total := h.forgotten[0].Frames + h.forgotten[1].Frames + len(kept); total != 3*count {
		t.Errorf("%d frames kept or told as forgotten, want %d", total, 3*count)
	}
	if after := h.forgotten[1]; after.From <= marked || after.To >= end+(count-1)*1000 {
		t.Errorf("forgotten between the mark and the latest: %+v", after)
	}
}

// Each of two clusters keeps its frames, also when other frames come between and after.
func TestEachClusterKeepsWhatIsAroundIt(t *testing.T) {
	h := history{budget: 16 * chunkSize}
	const count = 40_000
	var marks []clock.Instant
	for at := clock.Instant(1); len(marks) < 2; at += clock.Instant(10 * time.Second) {
		fill(&h, at, count)
		marks = append(marks, at+count*1000)
		h.mark(marks[len(marks)-1])
		fill(&h, marks[len(marks)-1], count)
	}
	fill(&h, clock.Instant(time.Hour), count)
	kept := map[clock.Instant]bool{}
	for _, at := range instants(&h) {
		kept[at] = true
	}
	for i, marked := range marks {
		for at := marked; at < marked+200*1000; at += 1000 {
			if !kept[at] {
				t.Fatalf("cluster %d: the frame %v after its begin is gone", i, time.Duration(at-marked))
			}
		}
	}
	if held(&h) > h.budget || !kept[clock.Instant(time.Hour)+(count-1)*1000] {
		t.Errorf("%d bytes held, budget %d; the latest frame is there: %v", held(&h), h.budget, kept[clock.Instant(time.Hour)+(count-1)*1000])
	}
}

// The first calls mark, also if their instants are close together. Later calls change nothing.
func TestNoMoreMarksThanClusters(t *testing.T) {
	var h history
	for i := range evidence.FocusMost + 1 {
		h.mark(clock.Instant(i + 1))
	}
	for i := range h.marks {
		if got := clock.Instant(h.marks[i].Load()); got != clock.Instant(i+1) {
			t.Errorf("mark %d is %d", i, got)
		}
	}
}

// Frames that were overwritten before the mark are reported as missing.
func TestAMarkInThePastKeepsWhatIsLeft(t *testing.T) {
	h := history{budget: 16 * chunkSize}
	fill(&h, 1, 40_000)
	h.mark(1)
	fill(&h, clock.Instant(time.Minute), 40_000)
	at := instants(&h)
	if at[len(at)-1] != clock.Instant(time.Minute)+39_999*1000 {
		t.Error("the latest frame is gone")
	}
	if h.forgotten[0].From != 1 {
		t.Errorf("forgotten %+v, want from the first frame on", h.forgotten[0])
	}
}
