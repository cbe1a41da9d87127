package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"baton/impl/daemon/config"
	"baton/impl/daemon/control"
)

func serviceCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "service", Short: "Add, change or delete a service of a running pair",
		Long: "Service changes a service of the running MASTER, which sends the change to its BACKUP. A change is atomic: each packet meets\n" +
			"the service before or after it. The node refuses a wrong change, and then nothing changes. A reload of the MASTER undoes all such\n" +
			"changes, so write them into the configuration files of both nodes.",
	}
	c.AddCommand(
		serviceVerb("add KEYS [SOCKET]", "Add a service; KEYS as in the configuration file: {name: api, proto: tcp, …}, or - for standard input", func(arg string) (config.Edit, error) {
			text, err := keysOf(arg)
			return config.Edit{Verb: config.AddService, Text: text}, err
		}),
		serviceSet(),
		serviceVerb("del SERVICE [SOCKET]", "Delete a service and its flows", func(arg string) (config.Edit, error) {
			return config.Edit{Verb: config.DelService, Service: arg}, nil
		}),
	)
	return c
}

// serviceVerb is a command with one argument.
func serviceVerb(use, short string, edit func(arg string) (config.Edit, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.RangeArgs(1, 2), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			e, err := edit(args[0])
			if err != nil {
				return err
			}
			return editNode(c.Context(), args[1:], e)
		},
	}
}

func serviceSet() *cobra.Command {
	return &cobra.Command{
		Use: "set SERVICE KEYS [SOCKET]", Short: "Change keys of a service; KEYS such as {balance: maglev}, or - for standard input",
		Args: cobra.RangeArgs(2, 3), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			text, err := keysOf(args[1])
			if err != nil {
				return err
			}
			return editNode(c.Context(), args[2:], config.Edit{Verb: config.SetService, Service: args[0], Text: text})
		},
	}
}

// keysOf returns the keys that an argument holds, or standard input if it is a dash.
func keysOf(arg string) (string, error) {
	if arg != "-" {
		return arg, nil
	}
	text, err := io.ReadAll(io.LimitReader(os.Stdin, config.MaxText+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("read the keys of the service: %w", err)
	case len(text) > config.MaxText:
		return "", badInput("the keys of a service have at most %d bytes", config.MaxText)
	}
	return string(text), nil
}

// editNode asks a node to change a service and prints the changes.
func editNode(ctx context.Context, socket []string, e config.Edit) error {
	return withNode(ctx, socket, func(ctx context.Context, client *control.Client) error {
		return printChanges(client.Edit(ctx, e))
	})
}
