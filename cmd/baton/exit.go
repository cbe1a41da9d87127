package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

const (
	exitPass         = 0
	exitFail         = 1
	exitBadInput     = 2
	exitInconclusive = 3
)

// exitCodes are the exit codes of every command.
var exitCodes = []struct {
	code          int
	name, meaning string
}{
	{exitPass, "pass", "the command succeeded; every run passed, no figure became worse"},
	{exitFail, "fail", "a run failed, a figure became worse, a requirement is missing, or a node refused or did not answer"},
	{exitBadInput, "bad input", "a mistake in the command line, a scenario, a configuration or an adapter; nothing was run"},
	{exitInconclusive, "inconclusive", "no conclusion: a run could not be judged, there were too few runs to compare, or the command was interrupted"},
}

// exitSummary is exitCodes in one line of text.
func exitSummary() string {
	var codes []string
	for _, e := range exitCodes {
		codes = append(codes, fmt.Sprintf("%d %s", e.code, e.name))
	}
	return "Exit codes: " + strings.Join(codes, ", ")
}

// exitError carries an exit code, and an error that is still to be printed.
type exitError struct {
	code int
	err  error // nil if everything is already printed
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}
func (e *exitError) Unwrap() error { return e.err }
func (e *exitError) ExitCode() int { return e.code }

// badInput returns an error about input that the user must change (exit code 2).
func badInput(format string, args ...any) error {
	return &exitError{exitBadInput, fmt.Errorf(format, args...)}
}

// exitCode prints an error that is not yet printed and returns its exit code.
func exitCode(err error) int {
	if err == nil {
		return exitPass
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "baton: interrupted: nothing is proven")
		return exitInconclusive
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(os.Stderr, "baton:", text)
	}
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		return coded.ExitCode()
	}
	return exitFail
}
