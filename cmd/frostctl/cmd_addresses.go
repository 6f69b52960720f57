package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
)

type addressesOptions struct {
	accountOptions
	count, from int
	change, csv bool
}

func newAddressesCommand() *cobra.Command {
	var o addressesOptions
	cmd := &cobra.Command{
		Use:   "addresses --key ID --count N",
		Short: "Derive addresses of a key, offline",
		Long: `Addresses derives addresses of a key, as many as you like, from the file that
keygen wrote. It asks nobody: it needs no fleet and no network. The key is first
verified against the manifest, as verify --keys does it. The fleet signs for
each address with the key's id and the address's path (sign --path).

bitcoin: Taproot addresses without scripts (BIP 86) at the unhardened children
0/i of BIP 32, which is what a wallet shows that imported the key's descriptor
(frostctl keys descriptor). solana: addresses at children 0/i of the fleet's own
derivation. --change derives 1/i, for what is left over of payments. Indexes go
from 0 to 2147483647.

Output is a table, with --csv key, path and address with commas between, with
--json one object a line. It comes while it is derived: memory does not grow
with the number of addresses.`,
		Example: `  frostctl addresses --key 6d0b…1f.0 --count 20
  frostctl addresses --key 6d0b…1f.0 --count 1000000 --from 1000000 --csv > addresses.csv
  frostctl addresses --key 6d0b…1f.0 --change --count 5 --json | jq -r .address`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return addresses(cmd, o) },
	}
	f := cmd.Flags()
	o.flags(cmd)
	f.IntVar(&o.count, "count", 0, "how many addresses")
	f.IntVar(&o.from, "from", 0, "index of the first one")
	f.BoolVar(&o.change, "change", false, "addresses for change, instead of those to receive with")
	f.BoolVar(&o.csv, "csv", false, "print CSV")
	_ = cmd.MarkFlagRequired("count") // fails only without such a flag
	return cmd
}

// check refuses what no key has an answer to, before files are read.
func (o *addressesOptions) check(json bool) error {
	switch left := client.MaxIndex - o.from + 1; {
	case o.csv && json:
		return usagef("--csv and --json: choose one")
	case o.from < 0 || o.from > client.MaxIndex:
		return usagef("--from %d: %s: want an index from 0 to %d", o.from, client.CodeBadPath, client.MaxIndex)
	case o.count < 1 || o.count > left:
		return usagef("--count %d: %s: from index %d on there are 1 to %d", o.count, client.CodeBadCount, o.from, left)
	}
	return nil
}

func addresses(cmd *cobra.Command, o addressesOptions) error {
	if err := o.check(wantJSON(cmd)); err != nil {
		return err
	}
	account, _, err := o.open(cmd)
	if err != nil {
		return err
	}
	branch := client.Receive
	if o.change {
		branch = client.Change
	}
	out := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
	row := o.printer(cmd, account, out)
	bar := newSlowProgress(cmd, "addresses", o.count)
	done := 0
	for address, err := range account.Addresses(branch, uint32(o.from), o.count) {
		if err == nil {
			err = cmd.Context().Err() // interrupted: what is printed ends with a whole line
		}
		if err == nil {
			err = row(address)
		}
		if err != nil {
			bar.finish()
			_ = out.Flush() // the error says enough
			return accountUsage(err)
		}
		done++
		bar.update(done)
	}
	bar.finish()
	return out.Flush()
}

// addressLine is a line of output with --json.
type addressLine struct {
	Key     string `json:"key"`
	Path    string `json:"path"`
	Address string `json:"address"`
}

// printer returns what prints one address.
func (o *addressesOptions) printer(
	cmd *cobra.Command, account *client.Account, out io.Writer,
) func(client.Address) error {
	key := account.Key().ID
	format := "%[1]s,%[2]s,%[3]s\n" // there is nothing to quote in any of them
	switch {
	case wantJSON(cmd):
		return func(a client.Address) error { return printJSON(out, addressLine{key, a.Path, a.Address}) }
	case o.csv:
		fmt.Fprintf(out, format, "key", "path", "address")
	default:
		longest := strings.TrimPrefix(fmt.Sprintf("%s/1/%d", account.Path(), o.from+o.count-1), "/")
		format = fmt.Sprintf("%%-%d[2]s  %%[3]s\n", max(len(longest), len("PATH")))
		fmt.Fprintf(out, format, "", "PATH", "ADDRESS")
	}
	return func(a client.Address) error {
		_, err := fmt.Fprintf(out, format, key, a.Path, a.Address)
		return err
	}
}
