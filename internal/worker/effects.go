package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/protocol"
)

// step feeds the machine and does what it asks for.
func (w *Worker) step(ev protocol.Event) { w.perform(w.ask(ev)) }

func (w *Worker) ask(ev protocol.Event) []protocol.Effect {
	w.mu.Lock()
	defer w.mu.Unlock() // also when a step panics
	return w.node.Step(ev)
}

// spawn runs f on a goroutine that the worker waits for.
func (w *Worker) spawn(f func()) { w.tasks.Go(f) }

func (w *Worker) perform(effects []protocol.Effect) {
	for _, effect := range effects {
		switch e := effect.(type) {
		case protocol.Compute:
			w.compute(e)
		case protocol.After:
			time.AfterFunc(e.Delay, func() {
				if w.ctx.Err() == nil {
					w.step(e.Timer)
				}
			})
		case protocol.Publish:
			w.spawn(func() { w.publish(e) })
		case protocol.Certify:
			w.spawn(func() { w.certify(e) })
		case protocol.Complete:
			w.note("complete", e.ID, w.store.Complete(e.ID, e.Certificates))
		case protocol.StoreRecovered:
			w.note("store recovered", e.Record.ID, w.store.PutRecovered(recovered(e, w.cfg.Index, w.cfg.Manifest)))
			e.Record.Batch.Shares.Wipe()
		case protocol.Load:
			w.load(e)
		case protocol.Refetch:
			w.spawn(func() { w.refetch(e.ID) })
		case protocol.Report:
			w.report(e)
		default:
			panic(fmt.Sprintf("worker: no way to perform %T", e))
		}
	}
}

func (w *Worker) compute(e protocol.Compute) {
	w.pool.Go(e.Urgent, func() {
		if ev := w.guard(e.Run); ev != nil {
			w.step(ev)
		}
	})
}

// guard keeps a panic over one session's bytes from ending the node. The
// session then times out; nothing of the panic's value is logged, as it might
// hold a secret.
func (w *Worker) guard(run func() protocol.Event) (ev protocol.Event) {
	defer func() {
		if recover() != nil {
			w.log.Error("a computation panicked; its session is lost. Please report this with the messages of the session")
		}
	}()
	return run()
}

// note logs a storage failure. The keys stay unusable at this node until it
// restarts and reads the log again.
func (w *Worker) note(what, id string, err error) {
	if err != nil {
		w.log.Error("keystore: "+what+" failed", "batch", id, "err", err)
		select {
		case w.fatal <- fmt.Errorf("keystore: %s: %w", what, err):
		default:
		}
	}
}

// publish attests if asked, seals, and fills the slot.
func (w *Worker) publish(e protocol.Publish) {
	body := e.Body
	if e.Leaf != nil {
		att := w.mustAttest(*e.Leaf)
		if att == nil {
			return
		}
		body = e.With(att)
	}
	w.fill(e.Slot, body)
}

// mustAttest asks the key provider until it answers or the worker stops. What
// it is for may have timed out by then, which the log will tell.
func (w *Worker) mustAttest(leaf [32]byte) *protocol.Attestation {
	for delay := 50 * time.Millisecond; ; delay = min(2*delay, 5*time.Second) {
		att, err := w.attester.attest(w.ctx, leaf)
		if err == nil {
			return att
		}
		if w.ctx.Err() != nil {
			return nil
		}
		w.log.Error("key provider does not sign; trying again", "in", delay, "err", err)
		select {
		case <-time.After(delay):
		case <-w.ctx.Done():
			return nil
		}
	}
}

// fillTime bounds one try to fill a slot. Longer would outlive the session
// key that sealed the message.
const fillTime = time.Minute

func (w *Worker) fill(slot protocol.Slot, body []byte) {
	subject := slot.String()
	for w.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(w.ctx, fillTime)
		verdict, err := w.cfg.Bus.PublishSlot(ctx, subject, w.sessions.seal(subject, body), nil, func(m bus.Message) bus.Verdict {
			w.mu.Lock()
			defer w.mu.Unlock()
			return verdicts[w.node.Judge(slot, logMessage(m), body)]
		})
		cancel()
		switch {
		case err == nil && verdict == bus.Other:
			w.step(protocol.SlotLost{Slot: slot})
			return
		case err == nil:
			return
		case errors.Is(err, bus.ErrClosed), errors.Is(err, bus.ErrTooLarge), errors.Is(err, bus.ErrDenied):
			w.log.Error("message not published", "subject", subject, "err", err)
			return
		}
		w.log.Warn("message not published yet", "subject", subject, "err", err)
	}
}

var verdicts = map[protocol.Verdict]bus.Verdict{protocol.Mine: bus.Mine, protocol.Other: bus.Other, protocol.Junk: bus.Junk}

// certify stores, then has the HSM sign, then publishes.
func (w *Worker) certify(e protocol.Certify) {
	record := storeRecord(e.Record, w.cfg.Index, w.cfg.Manifest)
	err := w.store.Certify(record)
	e.Record.Batch.Shares.Wipe()
	if err != nil {
		code := protocol.CodeInternal
		if errors.Is(err, keystore.ErrOtherTranscript) {
			code = protocol.CodeOtherTranscript
		}
		w.step(protocol.CertifyFailed{ID: e.Record.ID, Code: code, Err: err})
		return
	}
	att := w.mustAttest(*e.Publish.Leaf)
	if att == nil {
		return // on restart the stored record is certified again
	}
	body := e.Publish.With(att)
	if err := w.store.SetCert(e.Record.ID, body); err != nil {
		w.log.Error("own certificate not stored; it is in the log all the same", "batch", e.Record.ID, "err", err)
	}
	w.fill(e.Publish.Slot, body)
}

func storeRecord(r *protocol.BatchRecord, index int, m *protocol.Manifest) *keystore.Record {
	return &keystore.Record{
		Batch: r.ID, Context: r.Context, Transcript: r.Transcript, Suite: r.Header.Suite,
		N: m.N, T: m.T, K: int(r.Header.K), Index: index, Owner: r.Header.Client,
		Deals: r.Deals, PublicKeys: r.Batch.PublicKeys, Commitments: r.Batch.Commitments, Shares: r.Batch.Shares,
	}
}

func recovered(e protocol.StoreRecovered, index int, m *protocol.Manifest) *keystore.Record {
	r := storeRecord(e.Record, index, m)
	r.Cert, r.Complete, r.Certificates = e.Certificates[index], true, e.Certificates
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
		w.step(read())
		return
	}
	w.compute(protocol.Compute{Urgent: true, Run: read})
}

// loadKey gives a key that may sign: one that all n nodes certified.
func (w *Worker) loadKey(id protocol.KeyID) protocol.LoadedKey {
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
	return protocol.LoadedKey{Owner: k.Owner, Key: &frost.Key{
		Suite: k.Suite, N: k.N, T: k.T, Index: k.Index,
		PublicKey: k.PublicKey, Commitments: k.Commitments, Share: k.Share,
	}}
}

// refetch reads a batch's messages once more.
func (w *Worker) refetch(id string) {
	filter, err := bus.BatchFilter(id)
	if err != nil {
		return
	}
	for {
		messages, err := w.cfg.Bus.Slots(w.ctx, bus.Keys, filter)
		if err == nil {
			for _, m := range messages {
				w.step(protocol.KeysMessage{LogMessage: logMessage(m)})
			}
			return
		}
		w.log.Warn("batch not read from the log yet", "batch", id, "err", err)
		select {
		case <-time.After(time.Second):
		case <-w.ctx.Done():
			return
		}
	}
}

// sign is one call to the key provider, timed.
func (w *Worker) sign(ctx context.Context, digest [32]byte) ([]byte, error) {
	start := time.Now()
	signature, err := w.cfg.Provider.Sign(ctx, digest)
	w.cfg.Observe.Provider("sign", time.Since(start), err)
	return signature, err
}

func (w *Worker) report(r protocol.Report) {
	w.cfg.Observe.Report(r)
	args := []any{"id", r.ID}
	if r.Count > 0 {
		args = append(args, "suite", r.Suite.String(), "count", r.Count)
	}
	if r.Reason != "" {
		args = append(args, "code", string(r.Code), "reason", r.Reason)
	}
	if r.Culprit >= 0 {
		args = append(args, "culprit", r.Culprit)
	}
	switch r.What {
	case protocol.ReportAborted, protocol.ReportRefused, protocol.ReportBadTask:
		w.log.Warn(string(r.What), args...)
	case protocol.ReportComplete, protocol.ReportRecovered:
		w.log.Info(string(r.What), args...)
	default:
		w.log.Debug(string(r.What), args...)
	}
}
