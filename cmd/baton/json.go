package main

import (
	"encoding/json"
	"os"
)

// printJSON prints the facts that a command has, for --json.
func printJSON(status any) error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(status)
}
