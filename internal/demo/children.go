package demo

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/client"
)

// derivedCount is how many addresses are derived from one key of each chain.
const derivedCount = 50_000

// children derives addresses from one key of each chain, without the fleet, and has it
// sign for one of them. Libraries that know nothing of paths judge the signature by the
// address alone.
func (d *demo) children(ctx context.Context) error {
	d.Step("deriving %d addresses from a key of each chain, and signing for one", derivedCount)
	begin := time.Now()
	taproot, err := d.derive(d.taproot[0])
	if err != nil {
		return err
	}
	solana, err := d.derive(d.solana[0])
	if err != nil {
		return err
	}
	d.report.DerivedPerSecond = perSecond(d.report.DerivedAddresses, time.Since(begin))
	d.Step("  %s %s", taproot.Path, taproot.Address)
	d.Step("  %s %s", solana.Path, solana.Address)
	if err := spend(ctx, d.client, taproot.Address, child(d.taproot[0], taproot)); err != nil {
		return fmt.Errorf("spending what the child %s received: %w", taproot.Path, err)
	}
	if err := signFor(ctx, d.client, solana.Address, child(d.solana[0], solana)); err != nil {
		return fmt.Errorf("the child %s: %w", solana.Path, err)
	}
	d.report.Signatures += 2
	d.report.SignaturesVerified += 2
	d.report.ChildSignatureVerified = true
	return nil
}

// derive returns the last of the addresses.
func (d *demo) derive(key client.Key) (last client.Address, err error) {
	account, err := key.Account()
	if err != nil {
		return last, err
	}
	for address, err := range account.Addresses(client.Receive, 0, derivedCount) {
		if err != nil {
			return last, err
		}
		last = address
		d.report.DerivedAddresses++
	}
	return last, nil
}

// child is an item that the child of a key signs.
func child(key client.Key, address client.Address) client.SignItem {
	return client.SignItem{Key: key.ID, Path: address.Path, PublicKey: key.PublicKey, ChainCode: key.ChainCode}
}

// signFor has a message signed for a Solana address, which is the key that verifies it.
func signFor(ctx context.Context, c *client.Client, address string, item client.SignItem) error {
	item.Message = []byte("what this address says")
	signed, err := c.Sign(ctx, client.SignRequest{Items: []client.SignItem{item}})
	if err != nil {
		return err
	}
	key, err := base58.Decode(address)
	if err != nil {
		return fmt.Errorf("address %s: %w", address, err)
	}
	if !ed25519.Verify(key, item.Message, signed.Signatures[0].Signature) {
		return fmt.Errorf("crypto/ed25519 refuses the signature for %s", address)
	}
	return nil
}
