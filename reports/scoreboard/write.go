package scoreboard

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// table returns the board as lines of cells. A table over all scenarios has a line for each column,
// so that it fits a terminal. cell formats a cell from its text and the folder of its run.
func (b Board) table(cell func(text, dir string) string) [][]string {
	head := []string{"scenario", "subject", "verdict"}
	if !b.each {
		head = []string{"subject", "verdicts"}
	}
	for _, c := range b.Columns {
		head = append(head, c.Title)
	}
	lines := [][]string{head}
	for _, row := range b.Rows {
		line := []string{row.Subject, cell(row.Verdicts, row.Dir)}
		if b.each {
			line = slices.Insert(line, 0, row.Scenario)
		}
		for _, c := range row.Cells {
			line = append(line, cell(c.String(), c.Dir))
		}
		lines = append(lines, line)
	}
	if !b.each {
		return transposed(lines)
	}
	return lines
}

// transposed turns columns into lines. All lines have the same length.
func transposed(lines [][]string) [][]string {
	turned := make([][]string, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			turned[i] = append(turned[i], cell)
		}
	}
	return turned
}

// WriteText writes the table for a terminal. It names each scenario once.
func (b Board) WriteText(w io.Writer) error {
	text := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	last := ""
	for _, line := range b.table(func(text, _ string) string { return text }) {
		if b.each {
			if line[0] == last {
				line[0] = ""
			} else {
				last = line[0]
			}
		}
		fmt.Fprintln(text, strings.Join(line, "\t"))
	}
	return text.Flush()
}

// WriteMarkdown writes the table for a page in the folder from. Each cell links to its run.
func (b Board) WriteMarkdown(w io.Writer, from string) error {
	link := func(text, dir string) string {
		relative, err := filepath.Rel(from, dir)
		if err != nil || dir == "" {
			return text
		}
		return fmt.Sprintf("[%s](%s/)", text, filepath.ToSlash(relative))
	}
	lines := b.table(link)
	lines = slices.Insert(lines, 1, slices.Repeat([]string{"---"}, len(lines[0])))
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, "| "+strings.Join(line, " | ")+" |"); err != nil {
			return err
		}
	}
	return nil
}
