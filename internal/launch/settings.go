package launch

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/backends"
	"github.com/frostfleet/frostfleet/internal/reload"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// live is the settings of a program's own file that count at once when they change. The
// others need a restart: see config.Change.Reloadable.
type live struct {
	level  string
	prices keyprovider.Prices
}

// nodeSettings is a running node's own file.
func (p *program) nodeSettings(n *config.Node) reload.Thing {
	of := func(n *config.Node) live { return live{n.Log.Level, n.Node.KeyProvider.Section.Charges()} }
	return p.settings(n.File(), of(n), func(text []byte) (live, []config.Change, error) {
		next, err := config.NodeOf(n.Path(), text, backends.All())
		if err != nil {
			return live{}, nil, err
		}
		got := of(next)
		if next.Node.KeyProvider.Type != n.Node.KeyProvider.Type {
			got.prices = of(n).prices // those of another device say nothing
		}
		return got, config.NodeChanges(n, next), nil
	})
}

// gatewaySettings is a running gateway's own file.
func (p *program) gatewaySettings(g *config.Gateway) reload.Thing {
	return p.settings(g.File(), live{level: g.Log.Level}, func(text []byte) (live, []config.Change, error) {
		next, err := config.GatewayOf(g.Path(), text)
		if err != nil {
			return live{}, nil, err
		}
		if g.HTTPGiven() {
			next.GiveHTTP(g.HTTP)
		}
		return live{level: next.Log.Level}, config.GatewayChanges(g, next), nil
	})
}

// settings is a program's own file, which began with current. read gives what counts at
// once, and how the file differs from the one that the program started with.
func (p *program) settings(
	file secret.File, current live, read func(text []byte) (live, []config.Change, error),
) reload.Thing {
	return reload.Thing{
		Name: "config", Files: []secret.File{file},
		Take: func(texts [][]byte) (t reload.Taken, err error) {
			next, sinceStart, err := read(texts[0])
			if err != nil {
				return t, err
			}
			if next.level != current.level {
				if p.setLevel(next.level) {
					t.Changed = append(t.Changed, fmt.Sprintf("log.level is %s, it was %s", next.level, current.level))
				} else {
					t.Warnings = append(t.Warnings, "log.level was not taken: the level was given on the command line")
				}
			}
			if prices := priceChanges(&current.prices, &next.prices); len(prices) > 0 {
				p.metrics.SetPrices(next.prices)
				t.Changed = append(t.Changed, prices...)
			}
			if waits := needRestart(sinceStart); waits != "" {
				t.Warnings = append(t.Warnings, "changed settings were not taken, they need a restart: "+waits)
			}
			current = next
			return t, nil
		},
	}
}

// needRestart names the settings that a program does not take while it runs.
func needRestart(all []config.Change) string {
	var keys []string
	for _, c := range all {
		if !c.Reloadable() {
			keys = append(keys, c.Key)
		}
	}
	return strings.Join(keys, ", ")
}

func priceChanges(before, after *keyprovider.Prices) (all []string) {
	for _, price := range []struct {
		name    string
		was, is float64
	}{
		{"sign", before.Sign, after.Sign}, {"derive", before.Derive, after.Derive},
		{"describe", before.Describe, after.Describe}, {"public_key", before.PublicKey, after.PublicKey},
		{"key_month", before.KeyMonth, after.KeyMonth},
	} {
		if price.is != price.was {
			all = append(all, fmt.Sprintf("node.key_provider.prices.%s is %g, it was %g", price.name, price.is, price.was))
		}
	}
	return all
}

// setLevel sets the log's, and reports false where the command line did.
func (o *Options) setLevel(level string) bool {
	var l slog.Level
	if o.Level == nil || l.UnmarshalText([]byte(level)) != nil {
		return false
	}
	o.Level.Set(l)
	return true
}
