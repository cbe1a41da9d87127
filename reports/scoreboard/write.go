package scoreboard

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

// head are the headings before those of the columns.
func (b Board) head() []string {
	if b.each {
		return []string{"scenario", "subject", "verdict"}
	}
	return []string{"subject", "verdicts"}
}

// heads are all headings.
func (b Board) heads() []string {
	heads := b.head()
	for _, c := range b.Columns {
		heads = append(heads, c.Title)
	}
	return heads
}

// WriteText writes the table for a terminal.
func (b Board) WriteText(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.Join(b.heads(), "\t"))
	last := ""
	for _, row := range b.Rows {
		var cells []string
		if b.each {
			cells = append(cells, row.Scenario)
			if row.Scenario == last {
				cells[0] = ""
			}
			last = row.Scenario
		}
		cells = append(cells, row.Subject, row.Verdicts)
		for _, cell := range row.Cells {
			cells = append(cells, cell.String())
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	return table.Flush()
}

// WriteMarkdown writes the table for a page in the folder from: each cell opens its run.
func (b Board) WriteMarkdown(w io.Writer, from string) error {
	heads := b.heads()
	lines := [][]string{heads, strings.Split(strings.Repeat("--- ", len(heads)-1)+"---", " ")}
	link := func(text, dir string) string {
		relative, err := filepath.Rel(from, dir)
		if err != nil || dir == "" {
			return text
		}
		return fmt.Sprintf("[%s](%s/)", text, filepath.ToSlash(relative))
	}
	for _, row := range b.Rows {
		var cells []string
		if b.each {
			cells = append(cells, row.Scenario)
		}
		cells = append(cells, row.Subject, link(row.Verdicts, row.Dir))
		for _, cell := range row.Cells {
			cells = append(cells, link(cell.String(), cell.Dir))
		}
		lines = append(lines, cells)
	}
	for _, cells := range lines {
		if _, err := fmt.Fprintln(w, "| "+strings.Join(cells, " | ")+" |"); err != nil {
			return err
		}
	}
	return nil
}
