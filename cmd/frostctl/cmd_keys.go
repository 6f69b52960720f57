package main

import "github.com/spf13/cobra"

func newKeysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "keys", Short: "Show a key to a wallet: its descriptor, its extended public key",
		Long: `Keys prints what a watch-only wallet needs to see all addresses of a bitcoin key.
It reads the file that keygen wrote, verifies the key against the manifest, and
needs no fleet and no network. docs/wallets.md goes on from here.

Extended keys and descriptors are public, but who has one sees every address of
the key, and every payment to and from it.`,
	}
	cmd.AddCommand(newDescriptorCommand(), newXpubCommand())
	return cmd
}

// descriptorLine is the output of keys descriptor with --json.
type descriptorLine struct {
	Key        string `json:"key"`
	Network    string `json:"network"`
	Account    string `json:"account,omitempty"` // path from the key
	Descriptor string `json:"descriptor"`
	Receive    string `json:"receive"`
	Change     string `json:"change"`
}

func newDescriptorCommand() *cobra.Command {
	var o accountOptions
	var split bool
	cmd := &cobra.Command{
		Use:   "descriptor --key ID",
		Short: "Print a key's output descriptor",
		Long: `Descriptor prints tr([fingerprint]xpub/<0;1>/*)#checksum (BIPs 380, 386, 389), which
stands for the addresses that frostctl addresses derives, with and without
--change. With --split it prints two descriptors, to receive and for change, for
wallets that don't read <0;1>. On test networks the extended key is a tpub.`,
		Example: `  frostctl keys descriptor --key 6d0b…1f.0
  frostctl keys descriptor --key 6d0b…1f.0 --json | jq -r .receive`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, m, err := o.open(cmd)
			if err != nil {
				return err
			}
			d, err := a.Descriptors()
			if err != nil {
				return accountUsage(err)
			}
			text := d.Both + "\n"
			if split {
				text = d.Receive + "\n" + d.Change + "\n"
			}
			return say(cmd, descriptorLine{o.key, m.Network, a.Path(), d.Both, d.Receive, d.Change}, "%s", text)
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&split, "split", false, "print one descriptor to receive and one for change")
	return cmd
}

// xpubLine is the output of keys xpub with --json.
type xpubLine struct {
	Key     string `json:"key"`
	Network string `json:"network"`
	Account string `json:"account,omitempty"` // path from the key
	Xpub    string `json:"xpub"`
}

func newXpubCommand() *cobra.Command {
	var o accountOptions
	cmd := &cobra.Command{
		Use:   "xpub --key ID",
		Short: "Print a key's extended public key",
		Long: `Xpub prints the extended public key of BIP 32: xpub on mainnet, tpub on the test
networks. Without --account it is of depth 0. Give wallets the descriptor instead
where they take one: it says that the addresses are Taproot, and has a checksum.`,
		Example: `  frostctl keys xpub --key 6d0b…1f.0
  frostctl keys xpub --key 6d0b…1f.0 --account 5`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, m, err := o.open(cmd)
			if err != nil {
				return err
			}
			xpub, err := a.ExtendedKey()
			if err != nil {
				return accountUsage(err)
			}
			return say(cmd, xpubLine{o.key, m.Network, a.Path(), xpub}, "%s\n", xpub)
		},
	}
	o.flags(cmd)
	return cmd
}
