package provision

import (
	"context"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/pkcs11"
	"github.com/frostfleet/frostfleet/internal/launch"
)

func makeOnToken(ctx context.Context, n *config.Node, o Options) ([]keyprovider.Fact, error) {
	options, keeper, err := launch.TokenOptions(n, o.ProviderOptions)
	if err != nil {
		return nil, err
	}
	defer keeper.Wipe()
	return pkcs11.Provision(ctx, options)
}
