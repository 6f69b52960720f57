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
func (m *member) perform(effect protocol.Effect) {
	switch e := effect.(type) {
	case protocol.Publish:
		m.run.Go(func() { m.publish(e) })
	case protocol.Certify:
		m.run.Go(func() { m.certify(e) })
	case protocol.Complete:
		m.stored("complete", e.Batch.ID, m.written(m.store.Complete(storeRef(e.Batch), e.Certificates)))
	case protocol.StoreRecovered:
		m.stored("store recovered", e.Record.ID, m.written(m.store.PutRecovered(m.recovered(e))))
		e.Record.Batch.Shares.Wipe()
	case protocol.RefuseBatch:
		if err := m.written(m.store.Refuse(e.ID)); err != nil {
			m.run.Fail(fmt.Errorf("keystore: remember a refused batch: %w", err))
		}
	case protocol.SaveLedger:
		m.host.run.Go(func() { m.host.saveLedger(e) })
	case protocol.Load:
		m.load(e)
	case protocol.LoadShares:
		m.run.Compute(protocol.Compute{Run: func() protocol.Event { return m.loadShares(e) }})
	case protocol.Dealt:
		m.dealt(e.Next)
	case protocol.MarkMoved:
		m.stored("note that it moved", e.ID, m.written(m.store.MarkMoved(e.ID)))
	case protocol.FreezesChanged:
		m.freezesChanged()
	default:
		panic(fmt.Sprintf("worker: no way to perform %T", e))
	}
}

// stored takes the outcome of a write. After a failure the cursor stays where
// it is and the node ends: started again, it finds the batch in the log.
func (m *member) stored(what, id string, err error) {
	if err != nil {
		m.log.Error("keystore: "+what+" failed", "batch", id, "err", err)
		m.run.Fail(fmt.Errorf("keystore: %s: %w", what, err))
		return
	}
	m.run.With(func(n *node) { n.unstored-- })
}

// certify stores, then has the HSM sign, then publishes.
func (m *member) certify(e protocol.Certify) {
	var err error
	span := m.publishSpan(e.Publish)
	defer func() { span.End(err) }()
	storing := m.run.ChildSpan(span.Trace(), "store")
	err = m.written(m.store.Certify(m.record(e.Record)))
	storing.End(err)
	e.Record.Batch.Shares.Wipe()
	if err != nil {
		m.notCertified(e.Record.Ref(), err)
		return
	}
	ctx := tracing.NewContext(m.run.Life(), span.Trace())
	att, err := m.attester.Sign(ctx, *e.Publish.Leaf)
	if err != nil {
		return // on restart the stored record is certified again
	}
	body := e.Publish.With(att)
	if err := m.store.SetCert(storeRef(e.Record.Ref()), body); err != nil {
		m.log.Error("own certificate not stored; it is in the log all the same", "batch", e.Record.ID, "err", err)
	}
	err = m.fill(ctx, e.Publish, body)
}

// errStorage is what the log keeps for ever; paths and the like stay here.
var errStorage = errors.New("the node's keystore failed")

// notCertified gives a batch up. A keystore that can't be written to at all
// until the node starts again ends it; on a full disk it can still sign.
func (m *member) notCertified(ref wire.BatchRef, err error) {
	m.log.Error("keystore: certify failed", "batch", ref.ID, "generation", ref.Generation, "err", err)
	failed := protocol.CertifyFailed{Batch: ref, Code: wire.CodeInternal, Err: errStorage}
	if errors.Is(err, keystore.ErrOtherTranscript) {
		failed.Code, failed.Err = wire.CodeOtherTranscript, keystore.ErrOtherTranscript
	}
	m.run.Step(failed)
	if errors.Is(err, keystore.ErrGone) || errors.Is(err, keystore.ErrDamaged) {
		m.run.Fail(fmt.Errorf("keystore: certify: %w", err))
	}
}

func (m *member) record(r *protocol.BatchRecord) *keystore.Record {
	var reshare []byte
	if r.Reshare != nil {
		reshare = wire.Encode(r.Reshare)
	}
	return &keystore.Record{
		Batch: r.ID, Generation: r.Generation, Context: r.Context, Transcript: r.Transcript, MadeBy: r.MadeBy, Reshare: reshare,
		Suite: r.Header.Suite,
		N:     m.cfg.Manifest.N, T: m.cfg.Manifest.T, K: int(r.Header.K), Index: m.cfg.Index, Owner: r.Header.Client,
		Deals: r.Deals, PublicKeys: r.Batch.PublicKeys, Commitments: r.Batch.Commitments, Shares: r.Batch.Shares,
	}
}

func (m *member) recovered(e protocol.StoreRecovered) *keystore.Record {
	r := m.record(e.Record)
	r.Cert, r.Complete, r.Certificates = e.Certificates[m.cfg.Index], true, e.Certificates
	return r
}

func storeRef(ref wire.BatchRef) keystore.Ref {
	return keystore.Ref{Batch: ref.ID, Generation: ref.Generation}
}

func batchRef(ref keystore.Ref) wire.BatchRef {
	return wire.BatchRef{ID: ref.Batch, Generation: ref.Generation}
}

// loadShares reads the node's shares of one generation of a batch, to deal them.
func (m *member) loadShares(e protocol.LoadShares) protocol.Event {
	shares, err := m.store.Shares(storeRef(e.Batch))
	if err != nil {
		m.log.Warn("shares not read to be dealt", "batch", e.Batch.ID, "generation", e.Batch.Generation, "err", err)
	}
	return protocol.SharesLoaded{ID: e.ID, Shares: shares}
}

// inlineLoads is up to how many keys are read on the spot: a detour over the
// pool would cost more than the reading.
const inlineLoads = 4

// loadChunk is how many keys are read together: a few milliseconds.
const loadChunk = 100

func (m *member) load(e protocol.Load) {
	read := func() protocol.Event {
		keys := make([]protocol.LoadedKey, len(e.Keys))
		m.run.Each((len(keys)+loadChunk-1)/loadChunk, func(chunk int) {
			for i := chunk * loadChunk; i < min((chunk+1)*loadChunk, len(keys)); i++ {
				keys[i] = m.loadKey(e.Keys[i], e.Public)
			}
		})
		return protocol.Loaded{ID: e.ID, Keys: keys}
	}
	if len(e.Keys) <= inlineLoads {
		m.run.Step(read())
		return
	}
	m.run.Compute(protocol.Compute{Urgent: len(e.Keys) <= wire.InteractiveItems, Run: read})
}

// loadKey returns a key that may sign: one that all n nodes certified. With public it comes
// without its share.
func (m *member) loadKey(id wire.KeyID, public bool) protocol.LoadedKey {
	read := m.store.Key
	if public {
		read = m.store.PublicKey
	}
	k, err := read(id.Batch, id.Index)
	if err != nil {
		if !errors.Is(err, keystore.ErrUnknown) && !errors.Is(err, keystore.ErrMoved) {
			m.log.Error("key not read", "key", id.String(), "err", err)
		}
		return protocol.LoadedKey{}
	}
	if !k.Complete {
		k.Share.Wipe()
		return protocol.LoadedKey{}
	}
	loaded := protocol.LoadedKey{Owner: k.Owner, MadeBy: k.MadeBy, Public: public}
	if loaded.Key = (&frost.Key{Suite: k.Suite, PublicKey: k.PublicKey}); !public {
		loaded.Key.N, loaded.Key.T, loaded.Key.Index = k.N, k.T, k.Index
		loaded.Key.VSSCommitment, loaded.Key.Share = k.Commitments, k.Share
	}
	return loaded
}
