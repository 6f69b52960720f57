package launch

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/gateway"
	"github.com/frostfleet/frostfleet/internal/telemetry"
)

// reconciled returns with whom a gateway has not compared the register since it started,
// nil once there is nobody left. What is lost later is for the metric and the alert.
func reconciled(gw *gateway.Gateway) func() error {
	return func() error {
		r := gw.Register()
		if len(r.Waiting) == 0 {
			return nil
		}
		nodes := make([]string, len(r.Waiting))
		for i, node := range r.Waiting {
			nodes[i] = strconv.Itoa(node)
		}
		return fmt.Errorf("not reconciled with node %s yet; batches missing in KEYS: %d",
			strings.Join(nodes, ", "), r.Missing)
	}
}

func (p *program) registerMetrics(gw *gateway.Gateway) {
	telemetry.Gauge(p.registry, "register_missing_batches",
		"Batches that KEYS lacks and that a present node says it holds.",
		func() float64 { return float64(gw.Register().Missing) })
	telemetry.Gauge(p.registry, "register_unreconciled_nodes",
		"Present nodes with whose holdings this gateway has not compared KEYS to the end since it started.",
		func() float64 { return float64(len(gw.Register().Waiting)) })
}

// applyEmbedded makes the streams on a gateway's own server. Where there is no register
// yet it says so: nodes that hold batches bring them back by themselves.
func (p *program) applyEmbedded(ctx context.Context, conn *bus.Bus) error {
	there, err := conn.Exists(ctx, bus.Keys)
	if err != nil {
		return err
	}
	if !there {
		p.Log.Warn("KEYS does not exist and is made empty: right for a new fleet. If this one has keys, its nodes bring " +
			"them back now, and jobs for keys that are missing wait (docs/register.md)")
	}
	return conn.Apply(ctx)
}
