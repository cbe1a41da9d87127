package page

import (
	"html/template"

	"baton/reports/inert"
)

// plain is what a browser without JavaScript shows: the verdicts, what broke and the
// commands that replay it.
var plain = template.Must(template.New("plain").Funcs(template.FuncMap{"inert": inert.Terminal}).Parse(`<noscript>
<h1>{{.Outcome}}: {{len .Runs}} runs</h1>
<p>Without JavaScript there are no time axes here; summary.md and report.json have the rest.</p>
{{with .Causes}}<h2>What broke</h2>
<ul>
{{range .}}{{$run := index $.Runs (index .Runs 0)}}<li>{{.Verdict}}: {{inert .What}} ({{len .Runs}} runs)<br><code>{{inert $run.Replay}}</code></li>
{{end}}</ul>
{{end}}<table>
<tr><th>verdict</th><th>scenario</th><th>world</th><th>passed</th><th>failed</th><th>inconclusive</th><th>skipped</th></tr>
{{range .Rows}}<tr><td>{{.Verdict}}</td><td>{{inert .Scenario}}</td><td>{{inert .World}}</td><td>{{.Passed}}</td><td>{{.Failed}}</td><td>{{.Inconclusive}}</td><td>{{.Skipped}}</td></tr>
{{end}}</table>
</noscript>`))
