package plan

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"baton/scenarios/fault"
	"baton/scenarios/lab"
	"baton/scenarios/metric"

	"github.com/google/go-cmp/cmp"
)

const docs = "../../docs/scenarios.md"

// The reference's tables are those of the code; -update rewrites them.
func TestReferenceHasTheTables(t *testing.T) {
	text := readFile(t, docs)
	want := text
	for name, table := range map[string]string{"metrics": metricTable(), "keys": keyTable(), "chaos": chaosTable(), "faults": faultTable(), "packets": packetTable(), "floods": floodTable(), "faultkeys": faultKeyTable(), "ways": wayTable(), "checks": "`" + strings.Join(CheckNames(), "`, `") + "`\n"} {
		between := regexp.MustCompile(`(?s)(<!-- ` + name + ` -->\n).*(<!-- /` + name + ` -->)`)
		if !between.MatchString(want) {
			t.Fatalf("%s has no place for %s", docs, name)
		}
		want = between.ReplaceAllStringFunc(want, func(string) string {
			return fmt.Sprintf("<!-- %s -->\n%s<!-- /%s -->", name, table, name)
		})
	}
	if *update && want != text {
		if err := os.WriteFile(docs, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		text = want
	}
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("(-tables of the code +%s), rewrite with -update\n%s", docs, diff)
	}
}

func metricTable() string {
	var b strings.Builder
	b.WriteString("| metric | what is measured |\n|---|---|\n")
	for _, m := range metric.All() {
		star := ""
		if m.PerLine {
			star = "*"
		}
		fmt.Fprintf(&b, "| `%s`%s | %s |\n", m.Name, star, m.Doc)
	}
	return b.String()
}

func keyTable() string {
	var b strings.Builder
	b.WriteString("| key | default | meaning |\n|---|---|---|\n")
	for _, k := range Keys {
		def := "`" + k.Default + "`"
		for _, node := range nodes {
			if v, ok := k.NodeDefault[node]; ok {
				def += fmt.Sprintf(", %s `%s`", node, v)
			}
		}
		values := ""
		for _, v := range k.Values {
			values += ", `" + v + "`"
		}
		for _, v := range k.Unsafe {
			values += ", `" + v + "`!"
		}
		if values != "" {
			values = ":" + strings.TrimPrefix(values, ",")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s%s |\n", k.Name, def, k.Doc, values)
	}
	return b.String()
}

func faultTable() string {
	var b strings.Builder
	b.WriteString("| step | what is done | receipt |\n|---|---|---|\n")
	for _, v := range fault.Verbs() {
		doc := v.Doc
		if v.Time {
			doc += fmt.Sprintf("; DURATION is %s to %s", formatDuration(timeLeast), formatDuration(timeMost))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", strings.ReplaceAll(strings.Join(v.Forms(), "`, `"), "|", `\|`), doc, v.Receipt)
	}
	return b.String()
}

func packetTable() string {
	var b strings.Builder
	b.WriteString("| PACKETS | matches |\n|---|---|\n")
	for _, k := range lab.PacketKinds {
		fmt.Fprintf(&b, "| `%s` | %s |\n", k.Name, k.Doc)
	}
	b.WriteString("| the name of a service | requests to that service, and its answers |\n")
	return b.String()
}

func floodTable() string {
	var b strings.Builder
	b.WriteString("| KIND | what is sent |\n|---|---|\n")
	for _, k := range fault.FloodKinds {
		fmt.Fprintf(&b, "| `%s` | %s |\n", k.Name, k.Doc)
	}
	return b.String()
}

func wayTable() string {
	var b strings.Builder
	b.WriteString("| step | what it means |\n|---|---|\n")
	for _, v := range fault.Verbs() {
		for _, w := range v.Ways {
			fmt.Fprintf(&b, "| `%s %s` | %s |\n", v.Word, w.Name, w.Doc)
		}
	}
	return b.String()
}

func faultKeyTable() string {
	var b strings.Builder
	b.WriteString("| key | of | meaning |\n|---|---|---|\n")
	for _, v := range fault.Verbs() {
		for _, k := range v.Keys {
			fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", k.Name, v.Word, k.Doc)
		}
	}
	return b.String()
}

func chaosTable() string {
	var b strings.Builder
	b.WriteString("| key | meaning |\n|---|---|\n")
	for _, k := range ChaosKeys {
		of := ""
		if k.OnLink {
			of = " (of a link)"
		}
		fmt.Fprintf(&b, "| `%s`%s | %s |\n", k.Name, of, k.Doc)
	}
	return b.String()
}

// What the reference shows as a scenario is one, and every kind of line is in it.
func TestReferenceExamplesParse(t *testing.T) {
	text := readFile(t, docs)
	examples := 0
	for _, block := range strings.Split(text, "```")[1:] {
		if strings.HasPrefix(strings.TrimSpace(block), "scenario ") {
			if _, found := Expand("../../docs/examples/x.scn", []byte(strings.TrimSpace(block)+"\n"), os.ReadFile); len(found.Errors(true)) > 0 {
				t.Error(found)
			}
			examples++
		}
	}
	if examples < 2 {
		t.Errorf("%d examples found", examples)
	}
	for _, d := range directives {
		if !strings.Contains(text, "`"+d.word) && !strings.Contains(text, d.word+" ") {
			t.Errorf("%s says nothing of %q", docs, d.word)
		}
	}
}
