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

// useChain has the client check the certificates of all nodes, and verifies
// the signature with a library that had no part in it: btcec or crypto/ed25519.
func (t *trial) useChain(ctx context.Context, chain string) error {
	t.step("generating a key for %s", chain)
	start := time.Now()
	made, err := t.client.Keygen(ctx, client.KeygenRequest{Chain: chain, Count: 1})
	if err != nil {
		return err
	}
	result := KeyReport{Chain: chain, Address: made.Keys[0].Address, KeygenSeconds: time.Since(start).Seconds()}

	t.step("signing with %s", result.Address)
	key, message := made.Keys[0], sha256.Sum256([]byte(t.fleet.Fleet))
	start = time.Now()
	signed, err := t.client.Sign(ctx, client.SignRequest{
		Items: []client.SignItem{{Key: key.ID, PublicKey: key.PublicKey, Message: message[:]}},
	})
	if err != nil {
		return err
	}
	result.SignSeconds = time.Since(start).Seconds()
	public := key.PublicKey
	if signed.Suite == client.SuiteSecp256k1TR {
		if public, err = client.TaprootOutputKey(public, nil); err != nil {
			return err
		}
	}
	if err := client.VerifySignature(signed.Suite, public, message[:], signed.Signatures[0].Signature); err != nil {
		return err
	}
	result.Suite, result.Verified = signed.Suite, true
	t.report.Keys = append(t.report.Keys, result)
	return nil
}
