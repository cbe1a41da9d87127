package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/pcapgo"

	"baton/impl/clock"
	"baton/netns/internal/hostclock"
	"baton/scenarios/evidence"
)

// always is a window that contains every frame.
var always = []evidence.Span{{From: 0, To: clock.Never}}

// edgeWith returns an edge whose history has frames at the instants, each with its number
// in the last four of its 100 bytes.
func edgeWith(at ...clock.Instant) *edge {
	e := &edge{Edge: Edge{Name: "clients"}, history: history{budget: 1 << 20}, ports: map[int]int{}}
	e.port(7, "lb1")
	for i, t := range at {
		e.history.keep(t, 0, 1500, binary.BigEndian.AppendUint32(make([]byte, 96), uint32(i)))
	}
	return e
}

// read is a parsed pcapng file: the numbers of its frames, the comments by number, and that
// of the file.
type read struct {
	frames   []int
	comments map[int][]string
	about    string
}

func readBack(t *testing.T, file []byte) read {
	t.Helper()
	ng, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	r := read{comments: map[int][]string{}, about: ng.SectionInfo().Comment}
	for {
		data, info, options, err := ng.ReadPacketDataWithOptions()
		if errors.Is(err, io.EOF) {
			return r
		}
		if err != nil {
			t.Fatal(err)
		}
		number := int(binary.BigEndian.Uint32(data[len(data)-4:]))
		if info.Length != 1500 || info.CaptureLength != 100 {
			t.Fatalf("frame %d: %+v", number, info)
		}
		r.frames = append(r.frames, number)
		if len(options.Comments) > 0 {
			r.comments[number] = options.Comments
		}
	}
}

func write(t *testing.T, e *edge, x Excerpt) (read, Written, int) {
	t.Helper()
	var file bytes.Buffer
	w, err := e.write(&file, 256, x)
	if err != nil {
		t.Fatal(err)
	}
	size := file.Len()
	return readBack(t, file.Bytes()), w, size
}

func TestAnExcerptHoldsItsWindowsByTime(t *testing.T) {
	now := hostclock.Now()
	e := edgeWith(now, now+30, now+10, now+20, now+40)
	got, w, _ := write(t, e, Excerpt{Windows: []evidence.Span{{From: now, To: now + 10}, {From: now + 30, To: now + 35}}, Limit: 1 << 20})
	if !slices.Equal(got.frames, []int{0, 2, 1}) || w.Frames != 3 || w.Span != (evidence.Span{From: now, To: now + 30}) || w.Cut != nil {
		t.Errorf("frames %v, %+v", got.frames, w)
	}
}

func TestCommentsStandAtTheNextFrame(t *testing.T) {
	now := hostclock.Now()
	e := edgeWith(now+10, now+20, now+30)
	got, w, _ := write(t, e, Excerpt{Windows: always, Limit: 1 << 20, About: "what it is", Comments: []evidence.Comment{
		{At: now, Text: "before all"}, {At: now + 10, Text: "at the first"}, {At: now + 11, Text: "crash lb1"}, {At: now + 99, Text: "after all"}}})
	want := map[int][]string{0: {"before all", "at the first"}, 1: {"crash lb1"}, 2: {"after all"}}
	for i, texts := range want {
		if !slices.Equal(got.comments[i], texts) {
			t.Errorf("frame %d says %q, want %q", i, got.comments[i], texts)
		}
	}
	if got.about != "what it is" || w.Omitted != 0 {
		t.Errorf("about %q, %+v", got.about, w)
	}
}

// A file keeps to its limit, and what remains surrounds the focus.
func TestAnExcerptKeepsToItsLimitAroundItsFocus(t *testing.T) {
	now := hostclock.Now()
	var at []clock.Instant
	for i := range 5000 {
		at = append(at, now+clock.Instant(i))
	}
	const limit = 100 << 10
	var comments []evidence.Comment
	for i := range 5000 {
		comments = append(comments, evidence.Comment{At: now + clock.Instant(i), Text: strings.Repeat("x", 93)})
	}
	got, w, size := write(t, edgeWith(at...), Excerpt{Windows: always, Limit: limit, Focus: []clock.Instant{now + 4000}, Comments: comments})
	if size > limit || size < limit/2 {
		t.Errorf("%d bytes, limit %d", size, limit)
	}
	if !slices.Contains(got.frames, 4000) || 4000-got.frames[0] > 1+got.frames[len(got.frames)-1]-3999 {
		t.Errorf("frames %d to %d are not around 4000", got.frames[0], got.frames[len(got.frames)-1])
	}
	cut := 0
	for _, c := range w.Cut {
		cut += c.Frames
		if c.Forgotten {
			t.Errorf("%+v is told as forgotten", c)
		}
	}
	if len(w.Cut) != 2 || cut+w.Frames != 5000 || w.Omitted == 0 {
		t.Errorf("%+v: not all 5000 frames are accounted for", w)
	}
}

// With two focus instants there are frames around both, and more around the first.
func TestAnExcerptSurroundsEachFocus(t *testing.T) {
	now := hostclock.Now()
	var at []clock.Instant
	for i := range 5000 {
		at = append(at, now+clock.Instant(i))
	}
	got, w, size := write(t, edgeWith(at...), Excerpt{Windows: always, Limit: 100 << 10, Focus: []clock.Instant{now + 4000, now + 1000}})
	around := map[int]int{}
	for _, i := range got.frames {
		around[i/2500]++
	}
	if size > 100<<10 || !slices.Contains(got.frames, 4000) || !slices.Contains(got.frames, 1000) || around[0] < 100 || around[1] < 3*around[0]/2 {
		t.Errorf("%d bytes, frames around 1000 and 4000: %v", size, around)
	}
	cut := 0
	for _, c := range w.Cut {
		cut += c.Frames
	}
	if len(w.Cut) != 3 || cut+w.Frames != 5000 {
		t.Errorf("cut %+v, %d frames", w.Cut, w.Frames)
	}
}

// Overwritten frames are reported for the windows that they may have been in.
func TestAnExcerptTellsWhatWasForgotten(t *testing.T) {
	now := hostclock.Now()
	e := edgeWith()
	e.history.budget = minChunks * chunkSize
	fill(&e.history, now, 10_000)
	window := func(from, to int) []Cut {
		return e.history.lost([]evidence.Span{{From: now + clock.Instant(from)*1000, To: now + clock.Instant(to)*1000}})
	}
	if lost := window(0, 10); len(lost) != 1 || !lost[0].Forgotten || lost[0].Frames == 0 {
		t.Errorf("of the first frames: %+v", lost)
	}
	if lost := window(9_990, 10_000); lost != nil {
		t.Errorf("of the last frames: %+v", lost)
	}
}

func TestAnEmptyExcerptCanBeRead(t *testing.T) {
	got, w, _ := write(t, edgeWith(), Excerpt{Windows: always, Limit: 1 << 20, About: "nothing came",
		Comments: []evidence.Comment{{Text: "no frame to stand at"}}})
	if len(got.frames) != 0 || w.Frames != 0 || w.Omitted != 1 || got.about != "nothing came" {
		t.Errorf("%+v, %+v", got, w)
	}
}
