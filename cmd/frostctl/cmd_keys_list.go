package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/httpclient"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// keyFilter are the flags that choose keys.
type keyFilter struct {
	httpclient.KeyQuery
	since, until timeFlag
}

func (f *keyFilter) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.Chain, "chain", "", "bitcoin or solana")
	flags.StringVar(&f.Label, "label", "", "keys with this label")
	flags.StringVar(&f.Text, "text", "", "keys with this in their label, in either case")
	flags.StringVar(&f.Job, "job", "", "keys of this keygen job")
	f.times(cmd)
	completeChain(cmd)
}

func (f *keyFilter) times(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Var(&f.since, "since", "made then or later: 2026-01-31, 2026-01-31T12:00:00Z, or 36h, which is so long ago")
	flags.Var(&f.until, "until", "made before then")
}

// query is what a gateway is asked.
func (f *keyFilter) query() (httpclient.KeyQuery, error) {
	f.Since, f.Until = time.Time(f.since), time.Time(f.until)
	if _, known := wire.ChainSuite(f.Chain); f.Chain != "" && !known {
		return f.KeyQuery, usagef("--chain %.64q: use bitcoin or solana", f.Chain)
	}
	if f.Job != "" {
		return f.KeyQuery, checkIDs([]string{f.Job})
	}
	return f.KeyQuery, nil
}

// listLimit are the flags that bound a list.
type listLimit struct {
	limit int
	all   bool
}

func (l *listLimit) flags(cmd *cobra.Command) {
	cmd.Flags().IntVar(&l.limit, "limit", 100, "so many at most")
	cmd.Flags().BoolVar(&l.all, "all", false, "all that there are")
	cmd.MarkFlagsMutuallyExclusive("limit", "all")
}

// most is the limit; 0: none. One more than is shown tells whether there are more.
func (l *listLimit) most() (int, error) {
	if l.all {
		return 0, nil
	}
	if l.limit < 1 {
		return 0, usagef("--limit %d: want 1 or more, or --all", l.limit)
	}
	return l.limit + 1, nil
}

func newKeysListCommand() *cobra.Command {
	var f keyFilter
	var l listLimit
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List keys, by label, chain, job or time",
		Long: `List prints keys, oldest first, as a gateway's directory has them: id, chain,
address, label, and when they were made. With --json each key is a line with all
that is known of it. On a terminal ids and addresses are cut to fit; elsewhere
they are whole.` + gatewayHelp,
		Example: `  frostctl keys list --label payouts
  frostctl keys list --chain bitcoin --since 24h --all --json | jq -r .address`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := f.query()
			if err != nil {
				return err
			}
			return listKeys(cmd, q, l)
		},
	}
	f.flags(cmd)
	l.flags(cmd)
	addConfigFlag(cmd)
	return cmd
}

func listKeys(cmd *cobra.Command, q httpclient.KeyQuery, l listLimit) error {
	most, err := l.most()
	if err != nil {
		return err
	}
	c, err := openGateway(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	count, page := 0, keyGrid(nil)
	for k, err := range c.Keys(cmd.Context(), q, most) {
		if err != nil {
			return errors.Join(err, page.end(cmd))
		}
		if count++; count == most {
			break
		}
		if wantJSON(cmd) {
			err = printJSON(cmd.OutOrStdout(), k)
		} else {
			addKey(page, k)
			err = page.flush(cmd)
		}
		if err != nil {
			return err
		}
	}
	noteList(cmd, count, most, "key")
	return page.end(cmd)
}

// noteList says what a list does not show.
func noteList(cmd *cobra.Command, count, most int, what string) {
	switch count {
	case 0:
		note(cmd, "no such %s", what)
	case most:
		note(cmd, "there are more: --all, or --limit")
	}
}

func keyGrid(keys []httpclient.Key) *grid {
	g := &grid{columns: []column{
		{name: "KEY", least: 15, middle: true}, {name: "CHAIN"}, {name: "ADDRESS", least: 15, middle: true},
		{name: "LABEL", least: 10}, {name: "CREATED"},
	}}
	for _, k := range keys {
		addKey(g, k)
	}
	return g
}

func addKey(g *grid, k httpclient.Key) {
	g.add("", k.ID, k.Chain, k.Address, k.Label, instant(k.Created))
}
