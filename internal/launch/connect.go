package launch

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// ConnectNode reaches the bus of a node's file, as the node, for a command that only reads.
func ConnectNode(ctx context.Context, n *config.Node, m *wire.Manifest) (*bus.Bus, error) {
	return bus.Connect(ctx, bus.Options{
		Fleet: m.Fleet, Nodes: m.N, URL: n.Bus.URL, InOrder: true, Name: fmt.Sprintf("worker-%d", n.Node.Index),
		Files: n.Bus.Files, Logger: slog.New(slog.DiscardHandler),
	})
}
