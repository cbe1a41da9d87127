package main

import (
	"errors"

	"github.com/spf13/cobra"

	"baton/impl/daemon/config"
	"baton/impl/daemon/pki"
)

func pkiCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "pki",
		Short: "Make the certificates and the secret with which the two nodes authenticate each other",
		Long: "A node needs ca.crt, pair.secret, and its own certificate and key. Do not copy ca.key to the nodes: its owner can make\n" +
			"certificates that the pair trusts. Existing files are never overwritten, except by pki renew.",
		Example: "  baton pki init /etc/baton/pki lb1 lb2\n  baton pki renew /etc/baton/pki lb1",
	}
	c.AddCommand(
		pkiFolderCommand("init DIR NODE NODE", "Make a certificate authority, a secret and the certificates of both nodes", 3, func(dir string, nodes []string) error {
			if nodes[0] == nodes[1] {
				return badInput("pki: both nodes are called %q", nodes[0])
			}
			if err := makeFolder("pki", dir); err != nil {
				return err
			}
			return pki.Init(dir, nodes...)
		}),
		pkiFolderCommand("issue DIR NODE", "Make the certificate of a node that has none, signed by the authority in DIR", 2, func(dir string, nodes []string) error {
			return pki.Issue(dir, nodes[0], false)
		}),
		pkiFolderCommand("renew DIR NODE", "Replace the certificate and key of a node, signed by the authority in DIR", 2, func(dir string, nodes []string) error {
			return pki.Issue(dir, nodes[0], true)
		}),
	)
	return c
}

// pkiFolderCommand is a command on a folder of certificates and some nodes.
func pkiFolderCommand(use, short string, args int, do func(dir string, nodes []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(args),
		ValidArgsFunction: func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return completeFolders(c, args, typed)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			for _, node := range args[1:] {
				if err := config.CheckID(node); err != nil {
					return badInput("pki: %w", err)
				}
			}
			err := do(args[0], args[1:])
			if errors.Is(err, pki.ErrExists) || errors.Is(err, pki.ErrMissing) || errors.Is(err, pki.ErrReserved) {
				return badInput("%w", err)
			}
			return err
		},
	}
}
