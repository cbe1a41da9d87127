package main

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"
)

// elsewhere lists the commands without --json, with the reason.
var elsewhere = map[string]string{
	"run": "result.json", "bench-subjects": "result.json of each run", "parity": "the traces that it compares",
	"sim": "campaign.json", "explore": "campaign.json", "shrink": "prints a scenario", "report": "report.json",
	"new": "writes a scenario", "subject show": "prints an adapter",
	"subject check": "prints its parts as it tries them", "lab up": "lab.json", "lab down": "", "lab exec": "", "lab fault": "", "lab crash": "", "lab restore": "",
	"lab status": "baton status --json of each node's socket", "node": "its log, --log json", "node unit": "prints a unit", "bfd": "its log", "man": "writes pages",
	"handover": "", "reload": "", "backend drain": "", "backend ready": "", "backend add": "", "backend set": "", "backend del": "", "service add": "", "service set": "", "service del": "", "pki init": "", "pki issue": "", "pki renew": "",
	"bfd down": "", "bfd up": "", "bfd reset": "", "bfd poll": "", "bfd intervals": "", "bfd demand": "",
}

// Every command that reports facts prints them as JSON too, or stores them.
func TestFactsAreThereAsJSON(t *testing.T) {
	seen := 0
	everyCommand(rootCommand(), func(c *cobra.Command) {
		path := c.CommandPath()
		if c.Hidden || c.HasSubCommands() && c.Name() != "bfd" && c.Name() != "node" || !c.HasParent() || c.Name() == "help" || c.Parent().Name() == "completion" {
			return
		}
		seen++
		_, stored := elsewhere[path[len("baton "):]]
		if has := c.Flags().Lookup("json") != nil; has == stored {
			t.Errorf("%s: --json %v, and listed as one that needs none: %v", path, has, stored)
		}
	})
	if seen < 25 {
		t.Fatalf("%d commands seen; the test has lost its subject", seen)
	}
}

func TestJSONIsWhole(t *testing.T) {
	baseline := filepath.Join("..", "..", "reports", "baseline")
	for _, args := range [][]string{
		{"subject", "list", "--json"}, {"doctor", "--json"}, {"compare", "--json", baseline, baseline},
		{"lint", "--json", "../../scenarios/crash-master.scn"},
	} {
		if r := baton(t, args...); !json.Valid([]byte(r.out)) || r.code == exitBadInput {
			t.Errorf("%v: exit code %d\n%s%s", args, r.code, r.errout, r.out)
		}
	}
}
