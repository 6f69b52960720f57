package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/exit"
	"github.com/frostfleet/frostfleet/internal/secret"
)

const reconstructLong = `Reconstruct is the end of leaving Frostfleet (docs/operations.md): of the files
that frost-worker export-share wrote on t nodes or more it makes whole keys,
checks every share and every key, and writes what takes their coins elsewhere:
for bitcoin a descriptor with an extended private key, which Bitcoin Core and
other wallets import; for solana a scalar, which no seed wallet takes:
sign-solana signs with it.

Run it on a machine that never had a network, and destroy ceremony key, files
and machine's disk when the coins are at their new place. Whoever reads the
output spends.`

// ceremony is what all commands on files of shares have in common.
type ceremony struct {
	key string // file
}

func (c *ceremony) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.key, "key", "", "the ceremony's key, which reconstruct keygen made")
	_ = cmd.MarkFlagRequired("key") // fails only without such a flag
}

func newReconstructCommand() *cobra.Command {
	var c ceremony
	var o rootsOptions
	cmd := &cobra.Command{
		Use:   "reconstruct --key FILE SHARES...",
		Short: "Leave the fleet: make whole keys of what t nodes exported, offline",
		Long:  reconstructLong,
		Example: `  frostctl reconstruct keygen -o ceremony.key
  frostctl reconstruct --key ceremony.key share-0.exit share-2.exit -o roots.txt
  frostctl reconstruct sign-solana --key ceremony.key --root 6d0b…1f.0/0/17 -t transfer.txt share-*.exit`,
		Args: func(cmd *cobra.Command, files []string) error {
			switch {
			case len(files) == 0:
				return usagef("name the files that frost-worker export-share wrote, of t nodes or more")
			case !cmd.Flags().Changed("key"):
				return fmt.Errorf("%.80q is no command, and a file of shares takes --key", files[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, files []string) error {
			accounts, err := o.check()
			if err != nil {
				return err
			}
			roots, err := c.reconstruct(files)
			if err != nil {
				return err
			}
			defer wipeRoots(roots)
			return o.write(cmd, roots, accounts)
		},
	}
	c.flags(cmd)
	o.flags(cmd)
	cmd.AddCommand(newReconstructKeygenCommand(), newSignSolanaCommand())
	return cmd
}

// reconstruct makes the keys of files. The caller wipes them.
func (c *ceremony) reconstruct(files []string) ([]exit.Root, error) {
	text, err := secret.File{What: "ceremony key", Path: c.key, Max: exit.MaxIdentity}.Text()
	if err != nil {
		return nil, err
	}
	defer text.Wipe()
	identity, err := exit.ParseIdentity(text.Expose())
	if err != nil {
		return nil, fmt.Errorf("%s is %w", c.key, err)
	}
	var open []exit.Named
	defer func() {
		for _, f := range open {
			f.Wipe()
		}
	}()
	for _, name := range files {
		sealed, err := secret.File{What: "shares", Path: name, Max: exit.MaxSize, Public: true}.Bytes()
		if err != nil {
			return nil, err
		}
		f, err := exit.Open(sealed.Expose(), identity)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		open = append(open, exit.Named{Name: name, File: f})
	}
	return exit.Reconstruct(open)
}

func wipeRoots(roots []exit.Root) {
	for i := range roots {
		roots[i].Wipe()
	}
}

func newReconstructKeygenCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "keygen -o FILE",
		Short: "Make a ceremony's key, on the offline machine",
		Long: `Keygen makes the key of one ceremony, an age identity (X25519), in a file of
mode 0600, and prints its recipient and the fingerprint of that. Operators of
nodes need the recipient; read the fingerprint out to each of them over another
channel than it comes by. Whoever gets them to take another recipient gets their
shares.`,
		Example: "  frostctl reconstruct keygen -o ceremony.key",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			identity, err := exit.NewIdentity()
			if err != nil {
				return err
			}
			file := identity.File()
			defer file.Wipe()
			if err := createNew(out, file); err != nil {
				return err
			}
			r := identity.Recipient()
			line := struct {
				Recipient   string `json:"recipient"`
				Fingerprint string `json:"fingerprint"`
			}{r.String(), r.Fingerprint()}
			return say(cmd, line, "recipient    %s\nfingerprint  %s\n", line.Recipient, line.Fingerprint)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "file to write; it must not be there")
	_ = cmd.MarkFlagRequired("out") // fails only without such a flag
	return cmd
}

// rootsOptions say where whole keys go, and in which form.
type rootsOptions struct {
	out      string
	print    bool
	accounts []string
}

func (o *rootsOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&o.out, "out", "o", "", "file to write, of mode 0600; it must not be there")
	f.BoolVar(&o.print, "print", false, "write to standard output instead: the keys, for all who see it")
	f.StringArrayVar(&o.accounts, "account", nil,
		"path below the bitcoin keys to an account whose descriptor is wanted, too, such as 5; again for more")
	cmd.MarkFlagsMutuallyExclusive("out", "print")
	cmd.MarkFlagsOneRequired("out", "print")
}

func (o *rootsOptions) check() (accounts []derive.Path, err error) {
	for _, text := range o.accounts {
		path, err := derive.ParsePath(text)
		if err == nil && len(path) > derive.MaxDepth-2 {
			err = derive.ErrTooDeep
		}
		if err != nil {
			return nil, usagef("--account %.80q: %w", text, err)
		}
		accounts = append(accounts, path)
	}
	return accounts, nil
}

// createNew writes a file of mode 0600 that was not there.
func createNew(path string, content *secret.Bytes) error {
	err := secret.Create(path, content.Expose())
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("-o %s: it is there already, and is not replaced", path)
	} else if err != nil {
		return fmt.Errorf("-o: %w", err)
	}
	return nil
}

// write writes whole keys to where they are wanted.
func (o *rootsOptions) write(cmd *cobra.Command, roots []exit.Root, accounts []derive.Path) error {
	text, err := rootsText(roots, accounts, wantJSON(cmd))
	if err != nil {
		return err
	}
	defer text.Wipe()
	if o.print {
		_, err = cmd.OutOrStdout().Write(text.Expose())
		return err
	}
	if err := createNew(o.out, text); err != nil {
		return err
	}
	ids := make([]string, 0, len(roots))
	for _, r := range roots[:min(len(roots), 10)] {
		ids = append(ids, r.ID)
	}
	if more := len(roots) - len(ids); more > 0 {
		ids = append(ids, fmt.Sprintf("%d more", more))
	}
	note(cmd, "%s has %d whole keys: %s", o.out, len(roots), strings.Join(ids, ", "))
	return nil
}
