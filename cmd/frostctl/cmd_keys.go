package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/httpclient"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func newKeysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "keys", Short: "Find, label and export keys, and show them to wallets",
		Long: `Keys lists, shows, labels and exports what a gateway's directory has of this
client's keys, over HTTP, and prints what a watch-only wallet needs to see all
addresses of a bitcoin key. docs/http.md is about the gateway, docs/wallets.md
about wallets.

Extended keys and descriptors are public, but who has one sees every address of
the key, and every payment to and from it.`,
		Example: `  frostctl keys list --label payouts
  frostctl keys descriptor --key 6d0b…1f.0`,
	}
	cmd.AddCommand(newKeysListCommand(), newKeysShowCommand(), newKeysLabelCommand(), newKeysExportCommand(),
		newDescriptorCommand(), newXpubCommand())
	return cmd
}

// gatewayTime bounds what a gateway answers at once.
const gatewayTime = time.Minute

// fromFile says where a key comes from: a keys file, if one is named or there is one, and else a
// gateway, if one is configured. Where there is neither, it is the file's turn to say so.
func (o *accountOptions) fromFile(cmd *cobra.Command) (bool, error) {
	if cmd.Flags().Changed("keys") {
		return true, nil
	}
	if _, err := os.Stat(o.keys); !errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	there, err := hasGateway(cmd)
	return !there, err
}

const proveDescriptor = "with the keys file (--keys FILE) it is derived from what the nodes certified"

// ask has a gateway say what it knows of the key.
func (o *accountOptions) ask(cmd *cobra.Command) (d httpclient.Descriptor, err error) {
	if _, err := wire.ParseKeyID(o.key); err != nil {
		return d, usagef("--key: %w", err)
	}
	if o.account != "" {
		return d, usagef("--account needs the keys file: --keys FILE")
	}
	c, err := openGateway(cmd)
	if err != nil {
		return d, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(cmd.Context(), gatewayTime)
	defer cancel()
	if d, err = c.DescriptorOf(ctx, o.key); err == nil {
		believed(cmd, c, proveDescriptor)
	}
	return d, err
}

// descriptorLine is the output of keys descriptor with --json.
type descriptorLine struct {
	Key        string `json:"key"`
	Network    string `json:"network,omitempty"` // the manifest's
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
		Long: `Descriptor prints tr([fingerprint]xpub/<0;1>/*)#checksum (BIPs 380, 386, 389),
which stands for the addresses that frostctl addresses derives, with and without
--change. With --split it prints two descriptors, to receive and for change, for
wallets that don't read <0;1>. On test networks the extended key is a tpub.

The key is taken from the keys file and verified against the manifest, offline.
Where there is no such file and client.toml has a gateway ([http]), the gateway
says it, and that is believed.`,
		Example: `  frostctl keys descriptor --key 6d0b…1f.0
  frostctl keys descriptor --key 6d0b…1f.0 --json | jq -r .receive`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			line, err := o.descriptor(cmd)
			if err != nil {
				return err
			}
			text := line.Descriptor + "\n"
			if split {
				text = line.Receive + "\n" + line.Change + "\n"
			}
			return say(cmd, line, "%s", text)
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&split, "split", false, "print one descriptor to receive and one for change")
	return cmd
}

func (o *accountOptions) descriptor(cmd *cobra.Command) (line descriptorLine, err error) {
	file, err := o.fromFile(cmd)
	if err != nil {
		return line, err
	}
	if !file {
		d, err := o.ask(cmd)
		return descriptorLine{Key: o.key, Descriptor: harmless(d.Descriptor), Receive: harmless(d.Receive),
			Change: harmless(d.Change)}, err
	}
	a, m, err := o.open(cmd)
	if err != nil {
		return line, err
	}
	d, err := a.Descriptors()
	return descriptorLine{o.key, m.Network, a.Path(), d.Both, d.Receive, d.Change}, accountUsage(err)
}

// xpubLine is the output of keys xpub with --json.
type xpubLine struct {
	Key     string `json:"key"`
	Network string `json:"network,omitempty"` // the manifest's
	Account string `json:"account,omitempty"` // path from the key
	Xpub    string `json:"xpub"`
}

func newXpubCommand() *cobra.Command {
	var o accountOptions
	cmd := &cobra.Command{
		Use:   "xpub --key ID",
		Short: "Print a key's extended public key",
		Long: `Xpub prints the extended public key of BIP 32: xpub on mainnet, tpub on the test
networks. Without --account it is of depth 0. Give wallets the descriptor
instead where they take one: it says that the addresses are Taproot, and has a
checksum.

The key is taken from the keys file and verified against the manifest, offline.
Where there is no such file and client.toml has a gateway ([http]), the gateway
says it, and that is believed.`,
		Example: `  frostctl keys xpub --key 6d0b…1f.0
  frostctl keys xpub --key 6d0b…1f.0 --account 5`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			line, err := o.xpub(cmd)
			if err != nil {
				return err
			}
			return say(cmd, line, "%s\n", line.Xpub)
		},
	}
	o.flags(cmd)
	return cmd
}

func (o *accountOptions) xpub(cmd *cobra.Command) (line xpubLine, err error) {
	file, err := o.fromFile(cmd)
	if err != nil {
		return line, err
	}
	if !file {
		d, err := o.ask(cmd)
		return xpubLine{Key: o.key, Xpub: harmless(d.Xpub)}, err
	}
	a, m, err := o.open(cmd)
	if err != nil {
		return line, err
	}
	xpub, err := a.ExtendedKey()
	return xpubLine{o.key, m.Network, a.Path(), xpub}, accountUsage(err)
}
