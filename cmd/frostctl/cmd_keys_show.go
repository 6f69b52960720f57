package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/httpclient"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func newKeysShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show {ID | ADDRESS}",
		Short: "Show a key, by its id or its address",
		Long: `Show prints all that a gateway's directory has of a key. Of addresses, those of
keys themselves are found, and not those of their children.

The gateway is believed. What proves a key is the line of keygen that has it:
frostctl verify --keys FILE.` + gatewayHelp,
		Example: `  frostctl keys show 6d0b…1f.0
  frostctl keys show bc1p… --json | jq -r .id`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: completeKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := openGateway(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			ask := c.Key
			if _, err := wire.ParseKeyID(args[0]); err != nil {
				if !isAddress(args[0]) {
					return usagef("%.100q is neither the id of a key nor an address", args[0])
				}
				ask = c.KeyOf
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), gatewayTime)
			defer cancel()
			k, err := ask(ctx, args[0])
			if err != nil {
				return err
			}
			return show(cmd, k, func(w io.Writer) error { return writeFields(w, keyFields(k)) })
		},
	}
	addConfigFlag(cmd)
	return cmd
}

// isAddress reports whether a text may be an address of any chain: bech32m or base58.
func isAddress(text string) bool {
	return len(text) >= 26 && len(text) <= 100 && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// field is a line of what is shown of one thing; without a value it is left out.
type field struct{ name, value string }

func keyFields(k httpclient.Key) []field {
	fields := []field{
		{"key", k.ID}, {"client", k.Client}, {"chain", k.Chain}, {"address", k.Address}, {"label", k.Label},
		{"public key", k.PublicKey}, {"chain code", k.ChainCode}, {"xpub", k.Xpub}, {"descriptor", k.Descriptor}, {"job",
			k.Job},
		{"generation", strconv.FormatUint(uint64(k.Generation), 10)}, {"created", instant(k.Created)},
	}
	return append(fields, metadataFields(k.Metadata)...)
}

func metadataFields(m map[string]string) (fields []field) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		fields = append(fields, field{"metadata", name + "=" + m[name]})
	}
	return fields
}

// writeFields writes one field a line: values are copied from there, so that they are whole.
func writeFields(w io.Writer, fields []field) (err error) {
	widest := 0
	for _, f := range fields {
		if f.value != "" {
			widest = max(widest, len(f.name))
		}
	}
	for _, f := range fields {
		if f.value != "" {
			_, wrong := fmt.Fprintf(w, "%-*s  %s\n", widest, f.name, harmless(f.value))
			err = errors.Join(err, wrong)
		}
	}
	return err
}
