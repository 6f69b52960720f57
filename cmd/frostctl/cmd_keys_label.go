package main

import (
	"context"
	"maps"
	"strings"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/httpclient"
	"github.com/frostfleet/frostfleet/internal/wire"
)

type labelOptions struct {
	label, job string
	metadata   []string
	labelled   bool // --label was given
}

func newKeysLabelCommand() *cobra.Command {
	var o labelOptions
	cmd := &cobra.Command{
		Use:   "label {ID | --job JOB}",
		Short: "Say what a key, or all keys of a job, are for",
		Long: `Label sets the label of a key, or of all keys of a keygen job, and notes pairs
of name and value beside it. What is not named stays as it is: --label "" takes
the label away, and --metadata NAME= a pair. A key's own label counts before its
job's. All gateways have it, the last one that was set.

It takes a token with the scope keygen.` + gatewayHelp,
		Example: `  frostctl keys label 6d0b…1f.0 --label payouts --metadata owner=treasury
  frostctl keys label --job 0198c0de-7a10-7cc3-98c4-dc0c0c07398f --label "customers of 2026"`,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: completeKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.labelled = cmd.Flags().Changed("label")
			return label(cmd, args, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.label, "label", "", "the label, up to 128 bytes; empty: none")
	f.StringArrayVar(&o.metadata, "metadata", nil, "a pair NAME=VALUE; may be given several times")
	f.StringVar(&o.job, "job", "", "all keys of this job")
	addConfigFlag(cmd)
	return cmd
}

func label(cmd *cobra.Command, args []string, o labelOptions) error {
	pairs, err := o.pairs()
	switch {
	case err != nil:
		return err
	case (len(args) == 1) == (o.job != ""):
		return usagef("name a key, or a job with --job, and one of them")
	case !o.labelled && len(pairs) == 0:
		return usagef("nothing to say: --label L, --metadata NAME=VALUE")
	case o.job != "":
		err = checkIDs([]string{o.job})
	default:
		_, err = wire.ParseKeyID(args[0])
		if err != nil {
			err = usagef("%.100q: %w", args[0], err)
		}
	}
	if err != nil {
		return err
	}
	c, err := openGateway(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(cmd.Context(), gatewayTime)
	defer cancel()
	if o.job != "" {
		j, err := c.Job(ctx, o.job)
		if err == nil {
			j, err = c.LabelJob(ctx, o.job, o.remark(j.Label, j.Metadata, pairs))
		}
		if err != nil {
			return err
		}
		return say(cmd, jobLineOf(j), "job %s: %s\n", j.ID, said(j.Label, j.Metadata))
	}
	k, err := c.Key(ctx, args[0])
	if err == nil {
		k, err = c.LabelKey(ctx, args[0], o.remark(k.Label, k.Metadata, pairs))
	}
	if err != nil {
		return err
	}
	return say(cmd, k, "key %s: %s\n", k.ID, said(k.Label, k.Metadata))
}

// pairs takes --metadata apart.
func (o *labelOptions) pairs() (map[string]string, error) {
	pairs := map[string]string{}
	for _, text := range o.metadata {
		name, value, ok := strings.Cut(text, "=")
		if _, twice := pairs[name]; !ok || name == "" || twice {
			return nil, usagef("--metadata %.80q: want NAME=VALUE, each name once", text)
		}
		pairs[name] = value
	}
	return pairs, nil
}

// remark is what is to be said, where this was said before.
func (o *labelOptions) remark(label string, metadata, pairs map[string]string) httpclient.Remark {
	r := httpclient.Remark{Label: label, Metadata: map[string]string{}}
	if o.labelled {
		r.Label = o.label
	}
	maps.Copy(r.Metadata, metadata)
	for name, value := range pairs {
		if r.Metadata[name] = value; value == "" {
			delete(r.Metadata, name)
		}
	}
	return r
}

// said puts a remark into one line.
func said(label string, metadata map[string]string) string {
	text := "no label"
	if label != "" {
		text = "label " + harmless(label)
	}
	for _, f := range metadataFields(metadata) {
		text += ", " + harmless(f.value)
	}
	return text
}
