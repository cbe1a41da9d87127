package main

import (
	"encoding/json"
	"os"
)

// printJSON prints everything that a node or speaker shows, for --json.
func printJSON(status any) error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(status)
}
