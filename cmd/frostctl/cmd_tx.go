package main

import (
	"bytes"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/jobfile"
	"github.com/frostfleet/frostfleet/internal/reading"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

func newTxCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tx",
		Short: "Look at transactions before they are signed, offline",
		Long: `Tx reads transactions as the nodes read them, and says what they do, before
anybody signs.`,
		Example: `  frostctl tx show payment.psbt
  frostctl tx show payment.job`,
	}
	cmd.AddCommand(newTxShowCommand())
	return cmd
}

func newTxShowCommand() *cobra.Command {
	var o requestOptions
	var manifest string
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: "Show what a transaction means for these keys: who is paid, what is change, what it costs",
		Long: `Show reads a PSBT, a Solana transaction in base64, or a job that sign --job
saved, as every node of the fleet reads it, and prints what it means for keys of
this fleet. What nobody can account for is marked NOT CLEAR: with a policy in
force nodes refuse that.

It needs no fleet and no network. Without --key it is the keys of the keys file
that the transaction names itself. For FILE, "-" is standard input.`,
		Example: `  frostctl tx show payment.psbt
  frostctl tx show transfer.txt --key 6d0b…1f.0/0/17 --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return showTx(cmd, &o, manifest, args[0])
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.named, "key", nil, "key id, solana: or ID/PATH for its child; several with commas, or again")
	f.StringVar(&o.keys, "keys", defaultKeys, "the file of frostctl keygen that has the keys; - is standard input")
	addManifestFlag(cmd, &manifest)
	addConfigFlag(cmd)
	return cmd
}

func showTx(cmd *cobra.Command, o *requestOptions, manifest, file string) error {
	if err := o.check(cmd, file); err != nil {
		return err
	}
	data, err := readInput(cmd, file)
	if err != nil {
		return err
	}
	m, err := statedManifest(cmd, manifest)
	if err != nil {
		return err
	}
	job, err := o.readTx(cmd, m, data)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	in, roots := job.Reading()
	shown := reading.Request{Intent: in, Network: m.Network, Roots: roots, Replaces: job.Replaces}
	return show(cmd, shown.JSON(), shown.WriteText)
}

// readTx reads what a file has: a saved job, or a transaction.
func (o *requestOptions) readTx(cmd *cobra.Command, m *client.Manifest, data []byte) (*client.SignJob, error) {
	if bytes.HasPrefix(data, []byte("{")) {
		f, err := jobfile.Parse(data)
		if err != nil {
			return nil, err
		}
		return signFile{f}.open(cmd, m, o.keys)
	}
	r, err := parseRequest(data)
	if err != nil {
		return nil, err
	}
	ids, paths, err := o.signers(r.kind != intent.PSBT)
	if err != nil {
		return nil, err
	}
	keys, err := o.find(cmd, m, r, ids)
	if err != nil {
		return nil, err
	}
	o.partial = true // what can't be signed is shown as that
	return r.job(m, o, keys, paths)
}
