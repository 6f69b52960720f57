package testdkg

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/natsserver"
)

// programs are the fleet's nodes and its gateway, each in a goroutine.
type programs struct {
	ctx     context.Context // ends with the first program that ends
	cancel  context.CancelCauseFunc
	running sync.WaitGroup
	ready   chan struct{}
	count   int
}

// errStopped is the end that was asked for.
var errStopped = errors.New("stopped")

func (t *trial) start(ctx context.Context, server *natsserver.Server) *programs {
	p := &programs{count: 1 + len(t.devices), ready: make(chan struct{}, 1+len(t.devices))}
	p.ctx, p.cancel = context.WithCancelCause(ctx)
	options := launch.Options{Log: t.Log, Embedded: server, Ready: func() { p.ready <- struct{}{} }}
	p.run("gateway", func() error { return t.gateway(p.ctx, options) })
	for i, d := range t.devices {
		provider := d.provider
		d.provider = nil // the node closes it
		p.run(d.path, func() error {
			n, err := t.elsewhere(d.config, i)
			if err != nil {
				return errors.Join(err, provider.Close())
			}
			options := options
			options.Device = provider
			return launch.Node(p.ctx, n, options)
		})
	}
	return p
}

func (t *trial) gateway(ctx context.Context, o launch.Options) error {
	g, err := config.LoadGateway(filepath.Join(t.fleetDir(), fleet.GatewayFile))
	if err != nil {
		return err
	}
	g.Server.Port = 0
	g.Bus = config.Bus{Embedded: true, StorePath: t.storeDir()}
	return launch.Gateway(ctx, g, o)
}

func (p *programs) run(name string, program func() error) {
	p.running.Go(func() {
		err := program()
		if err == nil {
			err = errors.New("ended too early")
		}
		p.cancel(fmt.Errorf("%s: %w", name, err)) // without effect once there is a cause
	})
}

func (p *programs) awaitReady() error {
	for range p.count {
		select {
		case <-p.ready:
		case <-p.ctx.Done():
			return context.Cause(p.ctx)
		}
	}
	return nil
}

// stop ends all programs. It returns the error of the first that had ended
// before.
func (p *programs) stop() error {
	p.cancel(errStopped)
	p.running.Wait()
	if err := context.Cause(p.ctx); !errors.Is(err, errStopped) {
		return err
	}
	return nil
}
