package page

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
)

// unpack reverses pack.
func unpack(p Packed, value any) error {
	zip, err := gzip.NewReader(bytes.NewReader(p))
	if err != nil {
		return fmt.Errorf("page: unpack: %w", err)
	}
	if err := json.NewDecoder(zip).Decode(value); err != nil {
		return fmt.Errorf("page: unpack: %w", err)
	}
	return nil
}

// pack encodes a value as compressed JSON.
func pack(value any) (Packed, error) {
	var buf bytes.Buffer
	zip, err := gzip.NewWriterLevel(&buf, gzip.BestSpeed)
	if err != nil {
		return nil, fmt.Errorf("page: pack: %w", err)
	}
	if err := json.NewEncoder(zip).Encode(value); err != nil {
		return nil, fmt.Errorf("page: pack: %w", err)
	}
	if err := zip.Close(); err != nil {
		return nil, fmt.Errorf("page: pack: %w", err)
	}
	return buf.Bytes(), nil
}
