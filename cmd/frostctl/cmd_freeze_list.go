package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func newFreezesCommand() *cobra.Command {
	var o administratorFlags
	var restore string
	cmd := &cobra.Command{
		Use: "freezes", Short: "List what is frozen, and what is to be unfrozen (administrator)", Args: cobra.NoArgs,
		Long: `Freezes lists the freezes in force, and the unfreezes that lack votes, as
CONTROL and this machine's access list have them. A node may know of more: those
that CONTROL lost, and those of administrators who left the list. frost-worker
freezes lists them, and --restore publishes what it prints with --json.`,
		Example: `  frostctl freezes --config administrator0/administrator.toml
  frostctl freezes --json | jq 'select(.scope == "client").name'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := o.load()
			if err != nil {
				return err
			}
			if restore != "" {
				return a.restore(cmd, restore)
			}
			var book *wire.FreezeBook
			if err := a.onBus(cmd, func(ctx context.Context, b *bus.Bus) (err error) {
				book, err = a.book(ctx, b)
				return err
			}); err != nil {
				return err
			}
			return a.list(cmd, book)
		},
	}
	o.add(cmd, false)
	cmd.Flags().StringVar(&restore, "restore", "", "publish the freezes of this file again, as a node printed them with --json")
	return cmd
}

// restore publishes freezes that CONTROL lacks: each proves itself.
func (a *administrator) restore(cmd *cobra.Command, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	restored := 0
	err = a.onBus(cmd, func(ctx context.Context, b *bus.Bus) error {
		book, err := a.book(ctx, b)
		if err != nil {
			return err
		}
		lines := bufio.NewScanner(file)
		lines.Buffer(nil, 64<<10)
		for lines.Scan() {
			name, message, err := wire.ParseFreezeLine(lines.Bytes())
			if err != nil {
				return err
			}
			news, err := book.Add(a.access, wire.ControlSubject(name), message)
			if err != nil {
				note(cmd, "left out: %v", err)
				continue
			}
			if len(news.Frozen) == 0 {
				continue // CONTROL has it, or it is lifted
			}
			if err := a.say(ctx, b, name, message); err != nil {
				return err
			}
			restored++
		}
		return lines.Err()
	})
	if err != nil {
		return err
	}
	return say(cmd, map[string]int{"restored": restored}, "%d freezes published again\n", restored)
}

func (a *administrator) list(cmd *cobra.Command, book *wire.FreezeBook) error {
	var lines []wire.FreezeLine
	for _, f := range book.InForce() {
		lines = append(lines, f.Line())
	}
	for _, p := range book.Pending() {
		l := wire.LineOf(p.ID, p.By, &p.FreezeStatement)
		l.Votes, l.Quorum = p.Votes, a.access.Quorum()
		lines = append(lines, l)
	}
	if wantJSON(cmd) {
		for _, l := range lines {
			if err := printJSON(cmd.OutOrStdout(), l); err != nil {
				return err
			}
		}
		return nil
	}
	if len(lines) == 0 {
		note(cmd, "nothing is frozen in fleet %s", a.manifest.Fleet)
		return nil
	}
	return freezeGrid(lines).print(cmd)
}

func freezeGrid(lines []wire.FreezeLine) *grid {
	g := &grid{sentence: "REASON", columns: []column{
		{name: "TIME"}, {name: "ID"}, {name: "WHAT", least: 24, middle: true}, {name: "ADMINISTRATOR", least: 13},
	}}
	for _, l := range lines {
		what := strings.TrimSpace(string(l.Scope) + " " + l.Name)
		if l.Action == wire.ActionUnfreeze {
			what = fmt.Sprintf("unfreeze %s: %d of %d votes (%s)", strings.Join(shortIDs(l.Lifts), ", "), len(l.Votes), l.Quorum,
				strings.Join(l.Votes, ", "))
		}
		g.add(l.Reason, instant(l.Time), l.ID[:16], what, l.By)
	}
	return g
}

func shortIDs(ids []string) (short []string) {
	for _, id := range ids {
		short = append(short, id[:16])
	}
	return short
}

// onTarget are the freezes in force of one target.
func onTarget(book *wire.FreezeBook, scope wire.FreezeScope, name string) []*wire.Freeze {
	return slices.DeleteFunc(book.InForce(), func(f *wire.Freeze) bool { return f.Scope != scope || f.Name != name })
}
