package launch

import (
	"context"
	"sync"

	"github.com/frostfleet/frostfleet/internal/natsconn"
	"github.com/frostfleet/frostfleet/internal/reload"
)

// reload keeps things as their files are, until the program stops.
func (p *program) reload(ctx context.Context, things ...reload.Thing) {
	r := reload.New(p.Log, things...)
	p.reloads.open(r.Err)
	p.metrics.Reloads(r.Each)
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { reload.Run(ctx, r, p.Reload) })
	p.ends = append(p.ends, func() { cancel(); running.Wait() })
}

// busTLS is what a running program's connection to NATS trusts and shows; none where it
// has no TLS files. The open connection stays: see ADR 28.
func (p *program) busTLS(ctx context.Context, files natsconn.Files) []reload.Thing {
	names := files.TLSFiles()
	if len(names) == 0 || p.Embedded != nil {
		return nil
	}
	return []reload.Thing{{
		Name: "tls", Files: names,
		Take: func(texts [][]byte) (t reload.Taken, err error) {
			next, err := files.TLSOf(texts)
			if err != nil {
				return t, err
			}
			if t.Changed, err = p.conn.SetTLS(ctx, next); len(t.Changed) > 0 {
				t.Changed = append(t.Changed, "the next connection to NATS uses it, and the open one stays")
			}
			return t, err
		},
	}}
}
