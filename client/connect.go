package client

import (
	"context"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/natsconn"
)

// dial connects, trying again until ctx ends. After that, reconnecting goes on
// for ever.
func (c *Client) dial(ctx context.Context, cfg *Config) (err error) {
	if cfg.Conn != nil {
		c.nc, err = natsconn.Wrap(cfg.Conn, ackTimeout)
	} else {
		c.nc, err = natsconn.Connect(ctx, natsconn.Options{
			URL: cfg.URL, Name: "frostfleet client " + cfg.Name,
			Files: natsconn.Files{
				Credentials: cfg.Credentials, TLSCA: cfg.TLSCA, TLSCert: cfg.TLSCert, TLSKey: cfg.TLSKey,
			},
			InboxPrefix: cfg.InboxPrefix, AckTimeout: ackTimeout, Log: cfg.Logger,
		})
	}
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	return nil
}
