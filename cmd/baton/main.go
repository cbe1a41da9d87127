// Command baton is a high-availability load balancer node and the harness that
// proves it. This package parses arguments and wires packages together; it holds
// no logic of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// version is set by the Makefile.
var version = "unversioned"

// Exit codes, the same for every command.
const (
	exitPass         = 0
	exitFail         = 1
	exitBadInput     = 2
	exitInconclusive = 3
)

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

func main() {
	root := rootCommand()
	// What fails before a command runs is the command line's fault.
	running := false
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		err := c.ValidateRequiredFlags()
		running = err == nil
		return err
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	c, err := root.ExecuteContextC(ctx)
	if err != nil && !running {
		err = badInput("%w; see %s --help; usage: %s", err, c.CommandPath(), c.UseLine())
	}
	os.Exit(exitCode(err))
}

// rootCommand is the command line as a whole.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "baton",
		Short: "A high-availability load balancer node, and the harness that proves it",
		Long: "baton runs scenarios that kill and restore the MASTER of a load balancer pair under live traffic,\n" +
			"and says with evidence whether a client saw a RST or lost a session.\n\n" +
			"Exit codes: 0 pass, 1 fail, 2 bad input, 3 inconclusive.",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(runCommand(), newCommand(), lintCommand(), explainCommand(), simCommand(), shrinkCommand(), exploreCommand(), reportCommand(), serveCommand(), compareCommand(), parityCommand(), nodeCommand(), bfdCommand(), statusCommand(), handoverCommand(), reloadCommand(), pkiCommand(), doctorCommand(), labCommand(), subjectCommand(), benchSubjectsCommand())
	refuseStrangers(root)
	return root
}

// refuseStrangers has the completion command refuse a shell that it does not know,
// where it would show its help and call that a success.
func refuseStrangers(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Args = cobra.NoArgs
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
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
