// Command baton is a high-availability load balancer node and the harness that
// proves it. This package parses arguments and wires packages together; it holds
// no logic of its own.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"baton/impl/daemon/checkproc"
)

// version is set by the Makefile.
var version = "unversioned"

func main() {
	if checkproc.Called() {
		os.Exit(checkproc.Main())
	}
	root := rootCommand()
	// An error before a command runs is a mistake in the command line.
	running := false
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		err := errors.Join(c.ValidateRequiredFlags(), c.ValidateFlagGroups())
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

// rootCommand is the root of all commands.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "baton",
		Short: "A high-availability load balancer node, and the harness that proves it",
		Long: "baton runs scenarios that kill and restore the MASTER of a load balancer pair under live traffic,\n" +
			"and says with evidence whether a client saw a RST or lost a session.\n\n" +
			exitSummary() + ".",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(runCommand(), newCommand(), lintCommand(), explainCommand(), simCommand(), shrinkCommand(), exploreCommand(), reportCommand(), serveCommand(), compareCommand(), parityCommand(), nodeCommand(), bfdCommand(), statusCommand(), handoverCommand(), reloadCommand(), backendCommand(), serviceCommand(), pkiCommand(), doctorCommand(), labCommand(), subjectCommand(), benchSubjectsCommand(), manCommand())
	root.SetFlagErrorFunc(flagError)
	root.InitDefaultCompletionCmd()
	refuseUnknownWords(root)
	return root
}

// refuseUnknownWords makes commands that only hold others fail for a word that is none of
// them. Cobra would print their help and exit with 0.
func refuseUnknownWords(parent *cobra.Command) {
	for _, c := range parent.Commands() {
		if c.HasSubCommands() && !c.Runnable() {
			c.Args = cobra.NoArgs
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		}
		refuseUnknownWords(c)
	}
}
