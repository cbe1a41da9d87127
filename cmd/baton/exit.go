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
	{exitPass, "pass", "what was asked for is done; every run passed, nothing became worse"},
	{exitFail, "fail", "a run failed, a figure became worse, something is missing, or a node refused or could not be reached"},
	{exitBadInput, "bad input", "the command line, a scenario, a configuration or an adapter must be changed; nothing was run"},
	{exitInconclusive, "inconclusive", "nothing is proven: a run could not be judged, too few runs were compared, or it was interrupted"},
}

// exitSummary is the table in a line.
func exitSummary() string {
	var codes []string
	for _, e := range exitCodes {
		codes = append(codes, fmt.Sprintf("%d %s", e.code, e.name))
	}
	return "Exit codes: " + strings.Join(codes, ", ")
}

// exitError carries the exit code of an outcome that was already told, or is told
// by its text.
type exitError struct {
	code int
	err  error // nil if there is nothing left to say
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}
func (e *exitError) Unwrap() error { return e.err }
func (e *exitError) ExitCode() int { return e.code }

// badInput marks what the user must change.
func badInput(format string, args ...any) error {
	return &exitError{exitBadInput, fmt.Errorf(format, args...)}
}

// exitCode prints what is left to say and returns the code for it.
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
