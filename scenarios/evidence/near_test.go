package evidence

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"pgregory.net/rapid"

	"baton/impl/clock"
)

const offset = int64(1_700_000_000_000_000_000)

// captured returns a capture with a frame at each instant.
func captured(t *testing.T, instants ...clock.Instant) []byte {
	t.Helper()
	var file bytes.Buffer
	ng, err := pcapgo.NewNgWriterInterface(&file, pcapgo.NgInterface{Name: "clients/lb1", LinkType: layers.LinkTypeEthernet, TimestampResolution: 9}, pcapgo.DefaultNgWriterOptions)
	if err != nil {
		t.Fatal(err)
	}
	data := frame(t, &ether, over(layers.IPProtocolUDP), &layers.UDP{SrcPort: 1, DstPort: 2})
	for _, at := range instants {
		info := gopacket.CaptureInfo{Timestamp: time.Unix(0, offset+int64(at)), Length: len(data), CaptureLength: len(data)}
		if err := ng.WritePacketWithOptions(info, data, pcapgo.NgPacketOptions{Comments: []string{"a", "b"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := ng.Flush(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// near stores a capture and reads it.
func near(t *testing.T, content []byte, n int, instants ...clock.Instant) ([]Frame, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "capture-clients.pcapng"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	return Near(dir, File{File: "capture-clients.pcapng", Offset: offset}, instants, n)
}

func TestFramesNextToAnInstant(t *testing.T) {
	whole := captured(t, 10, 20, 30, 40)
	for _, tt := range []struct {
		at   clock.Instant
		n    int
		want []clock.Instant
	}{
		{21, 1, []clock.Instant{20, 30}},
		{20, 1, []clock.Instant{10, 20}}, // one that lies at the instant comes from it on
		{21, 9, []clock.Instant{10, 20, 30, 40}},
		{5, 2, []clock.Instant{10, 20}},
		{99, 2, []clock.Instant{30, 40}},
		{21, 0, nil},
	} {
		frames, err := near(t, whole, tt.n, tt.at)
		var got []clock.Instant
		for _, f := range frames {
			got = append(got, f.At)
			if f.Port != "clients/lb1" || !strings.HasPrefix(f.Text, "udp 198.18.0.100:1>") {
				t.Errorf("frame %+v", f)
			}
		}
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%d frames next to %d: %v, %v; want %v", tt.n, tt.at, got, err, tt.want)
		}
	}
}

// A truncated file yields the frames that it has. Damage after the last requested frame
// does not matter.
func TestFramesOfADamagedCapture(t *testing.T) {
	whole := captured(t, 10, 20, 30, 40)
	cut := whole[:len(whole)-10]
	if frames, err := near(t, cut, 9, 21); err == nil || len(frames) != 3 {
		t.Errorf("of a file that is cut off: %d frames, %v", len(frames), err)
	}
	if frames, err := near(t, cut, 1, 21); err != nil || len(frames) != 2 {
		t.Errorf("of the part before the damage: %d frames, %v", len(frames), err)
	}
	if _, err := near(t, []byte("no capture"), 1, 21); err == nil {
		t.Error("a file that is no capture was read")
	}
	if _, err := Near(t.TempDir(), File{File: "../../etc/passwd"}, []clock.Instant{1}, 1); err == nil {
		t.Error("a name led out of the folder")
	}
}

// The kept frames are those that a selection from all frames would pick, each once and in order.
func TestTheSieveKeepsTheFramesNearestToTheInstants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		instant := rapid.Map(rapid.Int64Range(0, 60), func(n int64) clock.Instant { return clock.Instant(n) })
		all := slices.Sorted(slices.Values(rapid.SliceOfN(instant, 0, 60).Draw(t, "frames")))
		instants := rapid.SliceOfN(instant, 1, 6).Draw(t, "instants")
		n := rapid.IntRange(0, 5).Draw(t, "n")
		wanted := map[int]bool{}
		for _, at := range instants {
			i, _ := slices.BinarySearch(all, at)
			for j := max(0, i-n); j < min(len(all), i+n); j++ {
				wanted[j] = true
			}
		}
		s := newSieve(instants, n)
		read := 0
		for i := 0; i < len(all) && !s.done(); i++ {
			s.take(all[i], i, nil)
			read++
		}
		kept := map[int]bool{}
		for _, st := range s.stretches {
			for _, h := range slices.Concat(st.first, st.last) {
				if kept[h.port] || !wanted[h.port] {
					t.Fatalf("frame %d is kept twice or in vain", h.port)
				}
				kept[h.port] = true
			}
		}
		if len(kept) != len(wanted) {
			t.Fatalf("%d frames of %d are kept, %d read", len(kept), len(wanted), read)
		}
	})
}
