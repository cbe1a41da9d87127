package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"baton/reports"
	"baton/reports/compare"
	"baton/reports/export"
	"baton/reports/model"
)

func reportCommand() *cobra.Command {
	var out, history, base string
	c := &cobra.Command{
		Use:   "report DIR...",
		Short: "Judge stored runs again and write a report",
		Long: "Report reads all runs below the folders: real and simulated runs, repeats, shards. It judges them with the checks of\n" +
			"this build, prints a table, and writes index.html, report.json, junit.xml, summary.md and bench.txt (for benchstat).\n" +
			"It names damaged and missing files and shows the part that is usable.\n\n" +
			"Its exit code does not depend on the verdicts: that of baton run does.",
		Example:           "  baton report out\n  baton report --out report shard-0 shard-1 shard-2",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeFolders,
		RunE: func(_ *cobra.Command, dirs []string) error {
			for _, dir := range dirs {
				if info, err := os.Stat(dir); err != nil || !info.IsDir() {
					return badInput("%s is not a folder", dir)
				}
			}
			if out == "" {
				out = dirs[0]
			}
			return report(dirs, out, history, base)
		},
	}
	c.Flags().StringVar(&out, "out", "", "folder of the report (default: the first DIR)")
	c.Flags().StringVar(&history, "history", "", "folder of earlier batches, one subfolder each, oldest name first: mark where figures changed")
	c.Flags().StringVar(&base, "base", "", "folder of a baseline to compare the figures with, as baton compare does")
	folder(c, "base")
	folder(c, "out")
	folder(c, "history")
	return c
}

func report(dirs []string, out, history, base string) error {
	var axes reports.Axes
	suite := reports.Build(dirs, axes.Visit)
	if history != "" {
		trends, problems, err := compare.History(history)
		if err != nil {
			return badInput("--history: %w", err)
		}
		suite.History = trends
		suite.Problems = append(suite.Problems, problems...)
	}
	if base != "" {
		was, err := reports.Open(base)
		if err != nil {
			return badInput("--base: %w", err)
		}
		suite.Comparison = compare.Compare(base, strings.Join(dirs, ", "), was, suite)
	}
	if len(suite.Runs)+len(suite.Campaigns) == 0 && suite.Mutants == nil {
		return badInput("there is no stored run in %s", strings.Join(dirs, ", "))
	}
	if err := reports.Table(os.Stdout, suite); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return badInput("--out: %w", err)
	}
	page := func(w io.Writer, s *model.Suite) error { return axes.Write(w, s, out) }
	for _, file := range []struct {
		name  string
		write func(io.Writer, *model.Suite) error
	}{{"index.html", page}, {"report.json", export.JSON}, {"junit.xml", export.JUnit}, {"summary.md", export.Summary}, {"bench.txt", export.Benchfmt}} {
		if err := store(filepath.Join(out, file.name), func(w io.Writer) error { return file.write(w, suite) }); err != nil {
			return badInput("--out: %w", err)
		}
	}
	fmt.Printf("report: %s\n", filepath.Join(out, "index.html"))
	return nil
}

// store writes a file.
func store(file string, write func(io.Writer) error) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
