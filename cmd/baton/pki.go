package main

import (
	"github.com/spf13/cobra"

	"baton/impl/daemon/pki"
)

func pkiCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pki DIR NODE NODE",
		Short: "Make the certificates and the secret by which the two nodes of a pair know each other",
		Long: "Pki writes ca.crt, pair.secret and, for each node, its certificate and key into DIR. A node needs ca.crt,\n" +
			"pair.secret and its own two files. The authority's key is not kept: make all anew to replace one.\n" +
			"Files of these names that DIR already has are overwritten; install the new ones on both nodes together.",
		Example: "  baton pki /etc/baton/pki lb1 lb2",
		Args:    cobra.ExactArgs(3),
		ValidArgsFunction: func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return completeFolders(c, args, typed)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if args[1] == args[2] {
				return badInput("pki: both nodes are called %q", args[1])
			}
			if err := makeFolder("pki", args[0]); err != nil {
				return err
			}
			return pki.Init(args[0], args[1:]...)
		},
	}
}
