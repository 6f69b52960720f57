package worker

import (
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// perform performs the effects of a node.
func (w *Worker) perform(effect protocol.Effect) {
	switch e := effect.(type) {
	case protocol.Publish:
		w.run.Go(func() { w.publish(e) })
	case protocol.Certify:
		w.run.Go(func() { w.certify(e) })
	case protocol.Complete:
		ref := keystore.Ref{Batch: e.Batch.ID, Generation: e.Batch.Generation}
		w.stored("complete", e.Batch.ID, w.written(w.store.Complete(ref, e.Certificates)))
	case protocol.StoreRecovered:
		w.stored("store recovered", e.Record.ID, w.written(w.store.PutRecovered(w.recovered(e))))
		e.Record.Batch.Shares.Wipe()
	case protocol.RefuseBatch:
		if err := w.written(w.store.Refuse(e.ID)); err != nil {
			w.run.Fail(fmt.Errorf("keystore: remember a refused batch: %w", err))
		}
	case protocol.SaveLedger:
		w.run.Go(func() { w.saveLedger(e) })
	case protocol.Load:
		w.load(e)
	case protocol.FreezesChanged:
		w.freezesChanged()
	default:
		panic(fmt.Sprintf("worker: no way to perform %T", e))
	}
}

// stored takes the outcome of a write. After a failure the cursor stays where
// it is and the node ends: started again, it finds the batch in the log.
func (w *Worker) stored(what, id string, err error) {
	if err != nil {
		w.log.Error("keystore: "+what+" failed", "batch", id, "err", err)
		w.run.Fail(fmt.Errorf("keystore: %s: %w", what, err))
		return
	}
	w.run.With(func(n *node) { n.unstored-- })
}

// certify stores, then has the HSM sign, then publishes.
func (w *Worker) certify(e protocol.Certify) {
	var err error
	span := w.publishSpan(e.Publish)
	defer func() { span.End(err) }()
	storing := w.run.ChildSpan(span.Trace(), "store")
	err = w.written(w.store.Certify(w.record(e.Record)))
	storing.End(err)
	e.Record.Batch.Shares.Wipe()
	if err != nil {
		w.notCertified(e.Record.ID, err)
		return
	}
	ctx := tracing.NewContext(w.run.Life(), span.Trace())
	att, err := w.attester.Sign(ctx, *e.Publish.Leaf)
	if err != nil {
		return // on restart the stored record is certified again
	}
	body := e.Publish.With(att)
	if err := w.store.SetCert(keystore.Ref{Batch: e.Record.ID}, body); err != nil {
		w.log.Error("own certificate not stored; it is in the log all the same", "batch", e.Record.ID, "err", err)
	}
	err = w.fill(ctx, e.Publish, body)
}

// errStorage is what the log keeps for ever; paths and the like stay here.
var errStorage = errors.New("the node's keystore failed")

// notCertified gives a batch up. A keystore that can't be written to at all
// until the node starts again ends it; on a full disk it can still sign.
func (w *Worker) notCertified(id string, err error) {
	w.log.Error("keystore: certify failed", "batch", id, "err", err)
	failed := protocol.CertifyFailed{Batch: wire.BatchRef{ID: id}, Code: wire.CodeInternal, Err: errStorage}
	if errors.Is(err, keystore.ErrOtherTranscript) {
		failed.Code, failed.Err = wire.CodeOtherTranscript, keystore.ErrOtherTranscript
	}
	w.run.Step(failed)
	if errors.Is(err, keystore.ErrGone) || errors.Is(err, keystore.ErrDamaged) {
		w.run.Fail(fmt.Errorf("keystore: certify: %w", err))
	}
}

func (w *Worker) record(r *protocol.BatchRecord) *keystore.Record {
	return &keystore.Record{
		Batch: r.ID, Context: r.Context, Transcript: r.Transcript, MadeBy: r.Transcript, Suite: r.Header.Suite,
		N: w.cfg.Manifest.N, T: w.cfg.Manifest.T, K: int(r.Header.K), Index: w.cfg.Index, Owner: r.Header.Client,
		Deals: r.Deals, PublicKeys: r.Batch.PublicKeys, Commitments: r.Batch.Commitments, Shares: r.Batch.Shares,
	}
}

func (w *Worker) recovered(e protocol.StoreRecovered) *keystore.Record {
	r := w.record(e.Record)
	r.Cert, r.Complete, r.Certificates = e.Certificates[w.cfg.Index], true, e.Certificates
	return r
}

// inlineLoads is up to how many keys are read on the spot: a detour over the
// pool would cost more than the reading.
const inlineLoads = 4

func (w *Worker) load(e protocol.Load) {
	read := func() protocol.Event {
		keys := make([]protocol.LoadedKey, len(e.Keys))
		for i, id := range e.Keys {
			keys[i] = w.loadKey(id)
		}
		return protocol.Loaded{ID: e.ID, Keys: keys}
	}
	if len(e.Keys) <= inlineLoads {
		w.run.Step(read())
		return
	}
	w.run.Compute(protocol.Compute{Urgent: true, Run: read})
}

// loadKey returns a key that may sign: one that all n nodes certified.
func (w *Worker) loadKey(id wire.KeyID) protocol.LoadedKey {
	k, err := w.store.Key(id.Batch, id.Index)
	if err != nil {
		if !errors.Is(err, keystore.ErrUnknown) {
			w.log.Error("key not read", "key", id.String(), "err", err)
		}
		return protocol.LoadedKey{}
	}
	if !k.Complete {
		k.Share.Wipe()
		return protocol.LoadedKey{}
	}
	return protocol.LoadedKey{Owner: k.Owner, MadeBy: k.MadeBy, Key: &frost.Key{
		Suite: k.Suite, N: k.N, T: k.T, Index: k.Index,
		PublicKey: k.PublicKey, VSSCommitment: k.Commitments, Share: k.Share,
	}}
}
