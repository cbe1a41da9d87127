package interop_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"baton/netns/peers"
)

var update = flag.Bool("update", false, "write docs/bfd-interop.md anew")

const tableFile = "../../docs/bfd-interop.md"

// results maps each cell to its result.
var results = struct {
	sync.Mutex
	of           map[string]string
	inconclusive bool
}{of: map[string]string{}}

// cell notes the test's result when it has ended.
func cell(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		results.Lock()
		defer results.Unlock()
		if !t.Skipped() {
			results.of[cellName(t)] = map[bool]string{true: "FAILED", false: "green"}[t.Failed()]
		} else if results.of[cellName(t)] == "" {
			results.inconclusive = true // a host that stood still, or a package that is missing
		}
	})
}

// cannot skips a cell that the peer does not support, which the table shows.
func cannot(t *testing.T, why string) {
	t.Helper()
	results.Lock()
	results.of[cellName(t)] = "not offered: " + why
	results.Unlock()
	t.Skip(why)
}

func cellName(t *testing.T) string {
	return strings.ReplaceAll(strings.TrimPrefix(t.Name(), "Test"), "_", " ")
}

// checkTable compares the committed table with this run's results, if every cell has
// completed.
func checkTable() error {
	filtered := flag.Lookup("test.run").Value.String() != "" || flag.Lookup("test.skip").Value.String() != ""
	if filtered || results.inconclusive || len(results.of) == 0 {
		return nil
	}
	want, err := renderTable()
	if err != nil {
		return err
	}
	if *update {
		return os.WriteFile(tableFile, want, 0o644)
	}
	got, err := os.ReadFile(tableFile)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("docs/bfd-interop.md is stale: go test ./netns/interop -update")
	}
	return nil
}

func renderTable() ([]byte, error) {
	frr, err := (&peers.FRR{}).Version(context.Background())
	if err != nil {
		return nil, err
	}
	bird, err := (&peers.BIRD{}).Version(context.Background())
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `# Interoperation of `+"`baton bfd`"+`

The speaker as a process in a network namespace, against FRR %s (bfdd) and BIRD %s as
processes in another, over a veth pair. Each row is a subtest, and the table is generated
from what they came to:

    sudo go test ./netns/interop -count=1 -update

"Up at" and the Polls mean that both sides report the same intervals and Detection Time. A
crash is SIGKILL; the survivor has to declare the session down no earlier than the
Detection Time and at most 30 ms after it, by the stamps of packets on the wire for the
peer, and by the speaker's own instants for us. Where the host itself stood still meanwhile
the cell is inconclusive, which is a skip with its figures. In the cells of echo packets it
is one side's forwarding that ends, while its BFD goes on; the other has to go Down with the
diagnostic Echo Function Failed, we within the same bounds.

- FRR's bfdd sends its IPv4 echo packets as RFC 5881 section 4 wants it but for their source,
  which is its own address on the link: a kernel that returns them and sends redirects
  (Linux's default) answers some with an ICMP Redirect. What it does over IPv6 the table says.
- BIRD sends multihop packets with a TTL of 64, not the 255 of RFC 5883 section 5 and RFC
  5881 section 5: `+"`min_ttl`"+` towards it is 64 or less.

| cell | result |
|---|---|
`, frr, bird)
	names := make([]string, 0, len(results.of))
	for name := range results.of {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "| %s | %s |\n", name, results.of[name])
	}
	return b.Bytes(), nil
}
