package capture

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"sort"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"baton/impl/clock"
	"baton/netns/internal/hostclock"
	"baton/scenarios/evidence"
)

// Excerpt selects the frames of an edge to write, with comments.
type Excerpt struct {
	Windows []evidence.Span // frames outside are left out
	// Limit is the maximum size of the file in bytes. Frames farthest from every instant of
	// Focus are left out first. Focus lists the most important instant first.
	Limit int64
	Focus []clock.Instant
	// About is the comment of the whole file. Comments belong to single frames: the first
	// at or after their instant, or the last one.
	About    string
	Comments []evidence.Comment
}

// Written describes the file that was written.
type Written struct {
	Frames int
	Span   evidence.Span // from the first frame to the last
	// Offset is by how many nanoseconds the file's timestamps are ahead of the trace.
	Offset int64
	Cut    []Cut
	// Omitted is the number of comments without a frame or without room.
	Omitted int
}

// Sizes of a pcapng file besides its frames.
const (
	fileCost    = 4 << 10 // section header, with room for the interfaces' names
	blockCost   = 36      // of an enhanced packet block, with padding
	commentCost = 12      // of an option, with padding and the end of options
)

// WritePCAPNG writes an edge's frames that are still in memory, for Wireshark. Each port of
// the edge is an interface of the file, named "clients/lb1". It may be called during the
// capture and after it.
func (c *Capture) WritePCAPNG(w io.Writer, edge string, x Excerpt) (Written, error) {
	for _, e := range c.kept {
		if e.Name == edge && e.Keep > 0 {
			return e.write(w, c.cfg.Snap, x)
		}
	}
	return Written{}, fmt.Errorf("capture: no frames of the %s edge are kept", edge)
}

func (e *edge) write(w io.Writer, snap int, x Excerpt) (Written, error) {
	e.history.mu.Lock()
	defer e.history.mu.Unlock()
	frames := e.history.within(x.Windows)
	comments, silent, cost := affordable(x.Comments, x.Limit/4)
	frames, cut := nearest(frames, x.Focus, x.Limit-cost-fileCost-int64(len(x.About)))
	out := Written{Frames: len(frames), Omitted: silent, Cut: append(e.history.lost(x.Windows), cut...)}
	if len(frames) == 0 {
		out.Omitted = len(x.Comments)
	} else {
		out.Span = evidence.Span{From: frames[0].at, To: frames[len(frames)-1].at}
		var stamps hostclock.Translator
		out.Offset = stamps.Realtime(0)
	}
	ng, err := e.begin(w, snap, x.About)
	if err != nil {
		return Written{}, err
	}
	said := beside(frames, comments)
	for i, f := range frames {
		info := gopacket.CaptureInfo{Timestamp: time.Unix(0, int64(f.at)+out.Offset),
			CaptureLength: len(f.data), Length: f.length, InterfaceIndex: f.port}
		if err := ng.WritePacketWithOptions(info, f.data, pcapgo.NgPacketOptions{Comments: said[i]}); err != nil {
			return Written{}, fmt.Errorf("capture: write pcapng: %w", err)
		}
	}
	if err := ng.Flush(); err != nil {
		return Written{}, fmt.Errorf("capture: write pcapng: %w", err)
	}
	return out, nil
}

// begin writes the section header and the interfaces.
func (e *edge) begin(w io.Writer, snap int, about string) (*pcapgo.NgWriter, error) {
	port := func(name string) pcapgo.NgInterface {
		return pcapgo.NgInterface{Name: name, LinkType: layers.LinkTypeEthernet, SnapLength: uint32(snap),
			TimestampResolution: 9, OS: "linux"}
	}
	names := e.names
	if len(names) == 0 {
		names = []string{e.Name}
	}
	options := pcapgo.DefaultNgWriterOptions
	options.SectionInfo.Comment = about
	ng, err := pcapgo.NewNgWriterInterface(w, port(names[0]), options)
	if err != nil {
		return nil, fmt.Errorf("capture: begin pcapng: %w", err)
	}
	for _, name := range names[1:] {
		if _, err := ng.AddInterface(port(name)); err != nil {
			return nil, fmt.Errorf("capture: add interface %s to pcapng: %w", name, err)
		}
	}
	return ng, nil
}

// within returns the frames of the windows, by time.
func (h *history) within(windows []evidence.Span) []stored {
	var frames []stored
	h.each(func(f stored) {
		if slices.ContainsFunc(windows, func(s evidence.Span) bool { return f.at >= s.From && f.at <= s.To }) {
			frames = append(frames, f)
		}
	})
	slices.SortStableFunc(frames, func(a, b stored) int { return cmp.Compare(a.at, b.at) })
	return frames
}

// lost returns the overwritten frames that may have been in one of the windows.
func (h *history) lost(windows []evidence.Span) (lost []Cut) {
	for _, c := range h.forgotten {
		if c.Frames > 0 && slices.ContainsFunc(windows, func(s evidence.Span) bool { return c.From <= s.To && c.To >= s.From }) {
			c.Forgotten = true
			lost = append(lost, c)
		}
	}
	return lost
}

// nearest returns the frames nearest to the focus instants that fit into room bytes, and
// the spans that were cut. The second instant counts half as much as the first, the third
// one third.
func nearest(frames []stored, focus []clock.Instant, room int64) (kept []stored, cut []Cut) {
	away := make([]clock.Instant, len(frames))
	order := make([]int, len(frames))
	for i, f := range frames {
		order[i], away[i] = i, clock.Never
		for n, at := range focus {
			away[i] = min(away[i], max(f.at-at, at-f.at)*clock.Instant(n+1))
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(away[a], away[b]) })
	fits := make([]bool, len(frames))
	for _, i := range order {
		if room -= int64(blockCost + len(frames[i].data)); room < 0 {
			break
		}
		fits[i] = true
	}
	for i, f := range frames {
		switch last := len(cut) - 1; {
		case fits[i]:
			kept = append(kept, f)
		case i > 0 && !fits[i-1]:
			cut[last].To = f.at
			cut[last].Frames++
		default:
			cut = append(cut, Cut{From: f.at, To: f.at, Frames: 1})
		}
	}
	return kept, cut
}

// affordable returns the first comments that fit into room bytes, the number of the rest,
// and the size of those that fit.
func affordable(comments []evidence.Comment, room int64) (fit []evidence.Comment, silent int, cost int64) {
	for i, c := range comments {
		next := int64(commentCost + len(c.Text))
		if cost+next > room {
			return comments[:i], len(comments) - i, cost
		}
		cost += next
	}
	return comments, 0, cost
}

// beside assigns each comment to a frame, by the frame's index.
func beside(frames []stored, comments []evidence.Comment) map[int][]string {
	said := map[int][]string{}
	if len(frames) == 0 {
		return said
	}
	for _, c := range comments {
		i := sort.Search(len(frames), func(i int) bool { return frames[i].at >= c.At })
		for c.RST && i+1 < len(frames) && frames[i+1].at == c.At && !isRST(frames[i]) {
			i++
		}
		i = min(i, len(frames)-1)
		said[i] = append(said[i], c.Text)
	}
	return said
}

func isRST(s stored) bool {
	f, ok := parseFrame(s.data)
	return ok && f.rst()
}
