package worker

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// node is the machine, with a count of the batches that it let go of and that the
// keystore does not have yet.
type node struct {
	*protocol.Node
	unstored int
}

// Step counts what is to be stored under the very lock of the step that let go of
// it: no cursor is saved in between.
func (n *node) Step(ev protocol.Event) []protocol.Effect {
	effects := n.Node.Step(ev)
	n.count(effects)
	return effects
}

func (n *node) count(effects []protocol.Effect) {
	for _, effect := range effects {
		switch effect.(type) {
		case protocol.Complete, protocol.StoreRecovered:
			n.unstored++
		}
	}
}

// open opens the keystore and builds the machine over what is in it.
func (w *Worker) open(ctx context.Context) (err error) {
	m := w.cfg.Manifest
	var keys [3]*secret.Bytes // host, seed, seal
	defer func() {
		keys[2].Wipe()
		if err != nil {
			keys[0].Wipe()
			keys[1].Wipe()
		}
	}()
	for i, purpose := range []string{purposeHost, purposeSeed, purposeSeal} {
		key, err := derive(ctx, w.cfg.Provider, purpose, m.Fleet, m.Epoch)
		if err != nil {
			return err
		}
		keys[i] = key
	}
	seal := sealKey(keys[2], m)
	defer clear(seal[:])
	if err := beginFreezes(w.cfg.Storage, m); err != nil {
		return err
	}
	store, err := keystore.Open(w.cfg.Storage, &seal)
	if err != nil {
		return err
	}
	w.store = store
	known := map[wire.BatchRef]protocol.KnownBatch{}
	err = store.Known(func(ref keystore.Ref, transcript, madeBy [32]byte, complete, moved bool) {
		known[wire.BatchRef{ID: ref.Batch, Generation: ref.Generation}] = protocol.KnownBatch{
			Transcript: transcript, MadeBy: madeBy, Complete: complete, Moved: moved,
		}
	})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	refused, err := store.Refused()
	if err != nil {
		return errors.Join(err, store.Close())
	}
	inForce, r, err := w.withKeys(w.cfg.Policy)
	if err == nil {
		err = w.openLedger()
	}
	if err != nil {
		return errors.Join(err, store.Close())
	}
	if w.cfg.Policy != nil {
		w.rules.Store(r)
	}
	freezes, err := OpenFreezes(w.cfg.Storage, m)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	w.node = &node{Node: protocol.NewNode(protocol.NodeConfig{
		Manifest: m, Access: w.cfg.Access, Index: w.cfg.Index, Host: keys[0], SeedSecret: keys[1],
		Rand: rand.Reader, StandbyDelay: StandbyDelay, Known: known, Refused: refused,
		Policy: inForce, Ledger: w.ledger, Freezes: freezes,
	})}
	return nil
}
