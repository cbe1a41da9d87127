package transport

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func frame(payload string) []byte {
	return append(appendHeader(nil, len(payload)), payload...)
}

func TestReadFrame(t *testing.T) {
	for _, tt := range []struct {
		name string
		wire []byte
		want string
		err  error // nil: any error
		ok   bool
	}{
		{"one frame", frame("abc"), "abc", nil, true},
		{"empty frame", frame(""), "", nil, true},
		{"frame of the limit", frame("12345678"), "12345678", nil, true},
		{"longer than the limit", frame("123456789"), "", nil, false},
		{"length of 4 GiB", []byte{255, 255, 255, 255, 1}, "", nil, false},
		{"nothing at all", nil, "", io.EOF, false},
		{"half a header", []byte{0, 0}, "", io.ErrUnexpectedEOF, false},
		{"header alone", []byte{0, 0, 0, 3}, "", io.ErrUnexpectedEOF, false},
		{"half a payload", []byte{0, 0, 0, 3, 'a'}, "", io.ErrUnexpectedEOF, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readFrame(bytes.NewReader(tt.wire), 8)
			if (err == nil) != tt.ok || string(got) != tt.want {
				t.Errorf("readFrame = %q, %v; want %q, ok %v", got, err, tt.want, tt.ok)
			}
			if tt.err != nil && !errors.Is(err, tt.err) {
				t.Errorf("readFrame = %v, want %v", err, tt.err)
			}
		})
	}
}

func TestReadFrameTellsAFarewell(t *testing.T) {
	for _, why := range []string{"", "protocol version 2", strings.Repeat("x", 2*maxFarewell)} {
		_, err := readFrame(bytes.NewReader(appendFarewell(nil, why)), 8)
		if said := (*farewell)(nil); !errors.As(err, &said) || said.why != why[:min(len(why), maxFarewell)] {
			t.Errorf("farewell %.20q was read as %v", why, err)
		}
	}
}

// FuzzReadFrame: whatever arrives is a sequence of frames that encode back to the
// same bytes, followed by an error; nothing allocates more than the limit.
func FuzzReadFrame(f *testing.F) {
	f.Add(append(frame("abc"), frame("")...))
	f.Add([]byte{255, 255, 255, 255})
	f.Add([]byte{0, 0, 16, 0, 1})
	f.Fuzz(func(t *testing.T, wire []byte) {
		const limit = 4096
		var back []byte
		for r := bytes.NewReader(wire); ; {
			payload, err := readFrame(r, limit)
			if err != nil {
				break
			}
			if len(payload) > limit {
				t.Fatalf("frame of %d bytes passed the limit %d", len(payload), limit)
			}
			back = append(back, frame(string(payload))...)
		}
		if !bytes.HasPrefix(wire, back) {
			t.Errorf("frames encode to %x, which the input does not begin with", back)
		}
	})
}
