package catalog

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Limits of a catalog. One that keeps them fits into a message of the sync stream.
const (
	MaxServices = 256
	MaxName     = 63
	maxParts    = 16
)

// Append appends the catalog to a message: the number of services, and of each its name
// and its digests. All numbers are big-endian.
func (c Catalog) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(c)))
	for _, s := range c {
		b = append(b, byte(len(s.Name)))
		b = append(b, s.Name...)
		b = append(b, byte(len(s.Digests)))
		for _, d := range s.Digests {
			b = binary.BigEndian.AppendUint64(b, d)
		}
	}
	return b
}

// Validate reports what Decode would refuse.
func (c Catalog) Validate() error {
	if len(c) > MaxServices {
		return fmt.Errorf("catalog: %d services > %d", len(c), MaxServices)
	}
	for i, s := range c {
		switch {
		case s.Name == "" || len(s.Name) > MaxName:
			return fmt.Errorf("catalog: service %q: a name of %d bytes is not of 1 to %d", s.Name, len(s.Name), MaxName)
		case len(s.Digests) == 0 || len(s.Digests) > maxParts:
			return fmt.Errorf("catalog: service %q: %d digests are not 1 to %d", s.Name, len(s.Digests), maxParts)
		case i > 0 && s.Name <= c[i-1].Name:
			return fmt.Errorf("catalog: service %q follows %q: not in order", s.Name, c[i-1].Name)
		}
	}
	return nil
}

var errShort = errors.New("catalog: cut short")

// Decode reads what Append has written.
func Decode(b []byte) (Catalog, error) {
	if len(b) < 2 {
		return nil, errShort
	}
	n := int(binary.BigEndian.Uint16(b))
	if n > MaxServices {
		return nil, fmt.Errorf("catalog: %d services > %d", n, MaxServices)
	}
	b = b[2:]
	c := make(Catalog, n)
	for i := range c {
		name, rest, ok := cut(b, 1)
		if !ok {
			return nil, errShort
		}
		digests, rest, ok := cut(rest, 8)
		if !ok {
			return nil, errShort
		}
		c[i] = Service{string(name), make([]uint64, len(digests)/8)}
		for j := range c[i].Digests {
			c[i].Digests[j] = binary.BigEndian.Uint64(digests[8*j:])
		}
		b = rest
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("catalog: %d bytes too many", len(b))
	}
	return c, c.Validate()
}

// cut splits off a field: a byte that counts items of a size, and these.
func cut(b []byte, size int) (field, rest []byte, ok bool) {
	if len(b) == 0 || len(b)-1 < int(b[0])*size {
		return nil, nil, false
	}
	end := 1 + int(b[0])*size
	return b[1:end], b[end:], true
}
