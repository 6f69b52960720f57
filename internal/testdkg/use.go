package testdkg

import (
	"context"
	"crypto/sha256"
	"path/filepath"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// use generates a key on each chain and signs with it.
func (t *trial) use(ctx context.Context) error {
	cfg, err := client.Load(filepath.Join(t.fleetDir(), fleet.ClientFile))
	if err != nil {
		return err
	}
	cfg.Logger = t.Log
	if t.client, err = client.New(ctx, cfg); err != nil {
		return err
	}
	defer t.client.Close()
	for _, chain := range wire.ChainNames() {
		if err := t.useChain(ctx, chain); err != nil {
			return err
		}
	}
	return nil
}

// useChain has a key generated and signs with it. The client returns keys that
// all nodes have certified, and signatures that verify under them with a library
// that had no part in it: btcec or crypto/ed25519.
func (t *trial) useChain(ctx context.Context, chain string) error {
	t.step("generating a key for %s", chain)
	start := time.Now()
	made, err := t.client.Keygen(ctx, client.KeygenRequest{Chain: chain, Count: 1})
	if err != nil {
		return err
	}
	generated, key := time.Since(start), made.Keys[0]

	t.step("signing with %s", key.Address)
	message := sha256.Sum256([]byte(key.ID))
	start = time.Now()
	signed, err := t.client.Sign(ctx, client.SignRequest{
		Items: []client.SignItem{{Key: key.ID, PublicKey: key.PublicKey, Message: message[:]}},
	})
	if err != nil {
		return err
	}
	t.report.Keys = append(t.report.Keys, KeyReport{
		Chain: chain, Suite: signed.Suite, Address: key.Address, Verified: true,
		KeygenSeconds: generated.Seconds(), SignSeconds: time.Since(start).Seconds(),
	})
	return nil
}
