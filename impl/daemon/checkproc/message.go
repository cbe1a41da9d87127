package checkproc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"baton/impl/daemon/checker"
	"baton/impl/daemon/config"
)

// request asks for one probe. Requests are a stream of gob values.
type request struct {
	ID      uint64
	Service string
	Proto   config.Proto
	Check   config.Check
	Backend netip.AddrPort
}

// answer is the result of the probe with that ID. The first one has ID 0 and says whether the process can probe.
//
// The process talks to backends, which nobody trusts, so the node trusts no answer: it has a header of a fixed
// length, and a bounded text.
type answer struct {
	ID  uint64
	err error
}

// Outcomes of a probe.
const (
	answered = iota + 1
	failed
	undecided
)

const (
	headerLen = 8 + 1 + 2 // ID, outcome, length of the text
	maxText   = 1000
)

// errMalformed is the error for bytes that are no answer.
var errMalformed = errors.New("malformed answer")

func (a answer) marshal() []byte {
	outcome, text := byte(answered), ""
	if a.err != nil {
		outcome, text = failed, a.err.Error()
	}
	if errors.Is(a.err, checker.ErrUndecided) {
		outcome = undecided
	}
	text = text[:min(len(text), maxText)]
	b := binary.BigEndian.AppendUint64(nil, a.ID)
	b = binary.BigEndian.AppendUint16(append(b, outcome), uint16(len(text)))
	return append(b, text...)
}

// readAnswer reads the next answer. io.EOF means that the stream ended before it.
func readAnswer(r io.Reader) (answer, error) {
	var header [headerLen]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return answer{}, err
	}
	a, length := answer{ID: binary.BigEndian.Uint64(header[:])}, int(binary.BigEndian.Uint16(header[9:]))
	if length > maxText {
		return answer{}, fmt.Errorf("%w: its text has %d bytes, more than %d", errMalformed, length, maxText)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return answer{}, err
	}
	switch outcome := header[8]; outcome {
	case answered:
	case failed:
		a.err = errors.New(string(text))
	case undecided:
		a.err = checker.ErrUndecided
	default:
		return answer{}, fmt.Errorf("%w: outcome %d", errMalformed, outcome)
	}
	return a, nil
}
