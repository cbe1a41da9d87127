package page

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
)

// pack is a value as compressed JSON.
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
