package plan

// Lint returns what there is to say about a plan as a whole.
func Lint(p *Plan) Diagnostics { return lint(p, nil).sorted() }

func lint(p *Plan, broken map[string]bool) Diagnostics { return nil }
