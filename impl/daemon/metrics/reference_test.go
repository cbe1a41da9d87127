package metrics

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

var update = flag.Bool("update", false, "write docs/metrics.md anew")

// described matches a printed metric description: name, help and labels.
var described = regexp.MustCompile(`^Desc\{fqName: "([^"]+)", help: "([^"]+)", .*variableLabels: \{(.*)\}\}$`)

// rows lists the node's own metrics from their descriptions.
func rows(t *testing.T, m *Metrics) (all []string) {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{}
	for _, f := range families {
		kinds[f.GetName()] = strings.ToLower(f.GetType().String())
	}
	descriptions := make(chan *prometheus.Desc, 1000)
	m.registry.Describe(descriptions)
	close(descriptions)
	for d := range descriptions {
		parts := described.FindStringSubmatch(d.String())
		if parts == nil || !strings.HasPrefix(parts[1], namespace+"_") {
			continue
		}
		kind, measured := kinds[parts[1]]
		if !measured { // this status has no sample of it
			kind = map[bool]string{true: "counter", false: "gauge"}[strings.HasSuffix(parts[1], "_total")]
		}
		labels := ""
		if parts[3] != "" {
			labels = "`" + strings.ReplaceAll(parts[3], ",", "`, `") + "`"
		}
		all = append(all, fmt.Sprintf("| `%s` | %s | %s | %s |\n", parts[1], kind, labels, parts[2]))
	}
	slices.Sort(all)
	return all
}

// docs/metrics.md lists every metric of a node with its description.
func TestReference(t *testing.T) {
	all := rows(t, observed())
	if len(all) < 50 {
		t.Fatalf("%d metrics: the test has lost its subject", len(all))
	}
	var page bytes.Buffer
	fmt.Fprint(&page, "# Metrics of a node\n\nWhat `/metrics` shows where the key `metrics` of the [configuration](node.md) gives an address, made from the metrics themselves:\n"+
		"`go test ./impl/daemon/metrics -run TestReference -update` writes this page again. Those of the Go runtime (`go_`) and of the process\n"+
		"(`process_`) come on top. A node whose event loop does not answer shows `baton_up 0` and nothing else of its status.\n"+
		"[operations/alerts.yaml](operations/alerts.yaml) has rules to alert by, [operations/dashboard.json](operations/dashboard.json) is a dashboard for Grafana.\n\n"+
		"| metric | type | labels | meaning |\n|---|---|---|---|\n"+strings.Join(all, ""))
	const file = "../../../docs/metrics.md"
	if *update {
		if err := os.WriteFile(file, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if stored, err := os.ReadFile(file); err != nil || !bytes.Equal(stored, page.Bytes()) {
		t.Errorf("docs/metrics.md is not what the metrics say (%v): go test ./impl/daemon/metrics -run TestReference -update", err)
	}
}
