package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/pool"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/tracing"
)

// step feeds the machine and does what it asks for.
func (w *Worker) step(ev protocol.Event) {
	w.perform(w.ask(func(n *protocol.Node) []protocol.Effect { return n.Step(ev) }))
}

// ask calls the machine. What it wants stored holds the cursor where it is:
// the machine has let go of a batch that no disk has yet.
//
// A step that panics is a fault of this program. It costs the session whose
// message it was, and not the node: a nonce holder gives out its nonces once,
// whatever became of the session around it.
func (w *Worker) ask(call func(*protocol.Node) []protocol.Effect) (effects []protocol.Effect) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() {
		if recover() != nil {
			w.log.Error("the machine panicked; please report this", "at", pool.Trace())
			effects = nil
		}
	}()
	effects = call(w.node)
	for _, effect := range effects {
		switch effect.(type) {
		case protocol.Complete, protocol.StoreRecovered:
			w.unstored++
		}
	}
	return effects
}

func (w *Worker) perform(effects []protocol.Effect) {
	for _, effect := range effects {
		switch e := effect.(type) {
		case protocol.Compute:
			if e.Rebuild {
				w.rebuild(e)
			} else {
				w.compute(e)
			}
		case protocol.After:
			time.AfterFunc(e.Delay, func() { w.tasks.Go(func() { w.step(e.Timer) }) })
		case protocol.Publish:
			w.tasks.Go(func() { w.publish(e) })
		case protocol.Certify:
			w.tasks.Go(func() { w.certify(e) })
		case protocol.Complete:
			w.stored("complete", e.ID, w.written(w.store.Complete(e.ID, e.Certificates)))
		case protocol.StoreRecovered:
			w.stored("store recovered", e.Record.ID, w.written(w.store.PutRecovered(recovered(e, w.cfg.Index, w.cfg.Manifest))))
			e.Record.Batch.Shares.Wipe()
		case protocol.Load:
			w.load(e)
		case protocol.Refetch:
			w.tasks.Go(func() { w.refetch(e.ID) })
		case protocol.Report:
			w.report(e)
		default:
			panic(fmt.Sprintf("worker: no way to perform %T", e))
		}
	}
}

func (w *Worker) compute(e protocol.Compute) {
	w.pool.Do(e.Urgent, func() {
		span := w.below(e.Trace, e.Name)
		ev := w.guard(e.Run)
		span.End(nil)
		if ev != nil {
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
			w.log.Error("a computation panicked; its session is lost. Please report this", "at", pool.Trace())
		}
	}()
	return run()
}

// stored takes the outcome of a write. After a failure the cursor stays where
// it is and the node ends: started again, it finds the batch in the log.
func (w *Worker) stored(what, id string, err error) {
	if err != nil {
		w.log.Error("keystore: "+what+" failed", "batch", id, "err", err)
		w.fail(fmt.Errorf("keystore: %s: %w", what, err))
		return
	}
	w.mu.Lock()
	w.unstored--
	w.mu.Unlock()
}

// fail ends the worker with the first reason to.
func (w *Worker) fail(err error) {
	select {
	case w.fatal <- err:
	default:
	}
}

// publish attests if asked, seals, and fills the slot, for as long as that is
// of use. That bounds what piles up while the key provider or the bus is away.
//
// Signing does not wait for a node that is silent: what it would say of a
// session is dropped at once.
func (w *Worker) publish(e protocol.Publish) {
	if e.Slot.Kind.Signing() && w.sessions.silent() {
		w.log.Debug("message dropped: this node is silent", "subject", e.Slot.String())
		return
	}
	span := w.saying(e)
	ctx := tracing.NewContext(w.ctx, span.Trace())
	if limit := useful[e.Slot.Kind]; limit != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	body := e.Body
	if e.Leaf != nil {
		att, err := w.attester.Sign(ctx, *e.Leaf)
		if err != nil {
			w.unpublished(e.Slot, err)
			span.End(err)
			return
		}
		body = e.With(att)
	}
	span.End(w.fill(ctx, e.Slot, body))
}

// useful is for how long somebody waits for a message. Certificates are
// wanted for ever.
var useful = map[protocol.SlotKind]time.Duration{
	protocol.SlotDeal: protocol.MaxJobLife, protocol.SlotAbort: protocol.MaxJobLife,
	protocol.SlotCommit: 5 * time.Minute, protocol.SlotShare: 5 * time.Minute, protocol.SlotRefuse: 5 * time.Minute,
}

// The pause after a failed try, doubling.
const (
	minPause = 50 * time.Millisecond
	maxPause = 5 * time.Second
)

// sleep waits until d is over or ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// fillTime bounds one try to fill a slot. A session key with less to live
// seals nothing.
const fillTime = time.Minute

// fill returns why the message was not published; it has said so then.
func (w *Worker) fill(ctx context.Context, slot protocol.Slot, body []byte) error {
	subject := slot.String()
	for pause := minPause; ctx.Err() == nil; pause = min(2*pause, maxPause) {
		sealed, era, err := w.sessions.seal(ctx, subject, body)
		if err != nil {
			break
		}
		w.mu.Lock()
		w.node.Sealed(slot, sealed)
		w.mu.Unlock()
		verdict, err := w.tryFill(ctx, era, slot, subject, sealed, body)
		switch {
		case err == nil && verdict == bus.Other:
			w.step(protocol.SlotLost{Slot: slot})
			return errSlotLost
		case err == nil:
			return nil
		case errors.Is(err, bus.ErrClosed), errors.Is(err, bus.ErrTooLarge), errors.Is(err, bus.ErrDenied):
			w.unpublished(slot, err)
			return err
		case ctx.Err() == nil:
			w.log.Warn("message not published yet", "subject", subject, "err", err)
			sleep(ctx, pause)
		}
	}
	w.unpublished(slot, ctx.Err())
	return ctx.Err()
}

var errSlotLost = errors.New("this node said something else there before")

// tryFill publishes what was sealed in an era, and gives up at its end.
func (w *Worker) tryFill(ctx, era context.Context, slot protocol.Slot, subject string, sealed, body []byte) (bus.Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, fillTime)
	defer cancel()
	defer context.AfterFunc(era, cancel)()
	return w.cfg.Bus.PublishSlot(ctx, subject, sealed, nil, func(m bus.Message) bus.Verdict {
		w.mu.Lock()
		defer w.mu.Unlock()
		return verdicts[w.node.Judge(slot, logMessage(m), body)]
	})
}

func (w *Worker) unpublished(slot protocol.Slot, err error) {
	if w.ctx.Err() == nil {
		w.log.Error("message not published", "subject", slot.String(), "err", err)
	}
}

var verdicts = map[protocol.Verdict]bus.Verdict{protocol.Mine: bus.Mine, protocol.Other: bus.Other, protocol.Junk: bus.Junk}

// certify stores, then has the HSM sign, then publishes.
func (w *Worker) certify(e protocol.Certify) {
	var err error
	span := w.saying(e.Publish)
	defer func() { span.End(err) }()
	record := storeRecord(e.Record, w.cfg.Index, w.cfg.Manifest)
	storing := w.below(span.Trace(), "store")
	err = w.written(w.store.Certify(record))
	storing.End(err)
	e.Record.Batch.Shares.Wipe()
	if err != nil {
		w.notCertified(e.Record.ID, err)
		return
	}
	ctx := tracing.NewContext(w.ctx, span.Trace())
	att, err := w.attester.Sign(ctx, *e.Publish.Leaf)
	if err != nil {
		return // on restart the stored record is certified again
	}
	body := e.Publish.With(att)
	if err := w.store.SetCert(e.Record.ID, body); err != nil {
		w.log.Error("own certificate not stored; it is in the log all the same", "batch", e.Record.ID, "err", err)
	}
	err = w.fill(ctx, e.Publish.Slot, body)
}

// errStorage is what the log is told for ever; paths and the like stay here.
var errStorage = errors.New("the node's keystore failed")

// notCertified gives a batch up. A keystore that can't be written to at all
// until the node starts again ends it; on a full disk it can still sign.
func (w *Worker) notCertified(id string, err error) {
	w.log.Error("keystore: certify failed", "batch", id, "err", err)
	failed := protocol.CertifyFailed{ID: id, Code: protocol.CodeInternal, Err: errStorage}
	if errors.Is(err, keystore.ErrOtherTranscript) {
		failed.Code, failed.Err = protocol.CodeOtherTranscript, keystore.ErrOtherTranscript
	}
	w.step(failed)
	if errors.Is(err, keystore.ErrGone) || errors.Is(err, keystore.ErrDamaged) {
		w.fail(fmt.Errorf("keystore: certify: %w", err))
	}
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

// refetch reads a batch's messages once more, and tries until it has them:
// the machine asks once. One batch at a time: it can be large.
func (w *Worker) refetch(id string) {
	w.refetching.Lock()
	defer w.refetching.Unlock()
	filter, err := bus.BatchFilter(id)
	if err != nil {
		return
	}
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		messages, err := w.cfg.Bus.Slots(w.ctx, bus.Keys, filter)
		for _, m := range messages {
			w.step(protocol.KeysMessage{LogMessage: logMessage(m)})
		}
		if err == nil || w.ctx.Err() != nil {
			return
		}
		w.log.Error("batch not read from the log", "batch", id, "err", err)
		if errors.Is(err, bus.ErrTooMany) || errors.Is(err, bus.ErrClosed) {
			return
		}
		sleep(w.ctx, pause)
	}
}

// deviceChanged hears when the key provider begins to fail, and when it works
// again. While it is refused the node is silent; the clock asks for a new
// session key every second, so the node speaks again as soon as it may.
func (w *Worker) deviceChanged(err error) {
	switch reason := keyprovider.ReasonOf(err); {
	case err == nil:
		w.log.Info("key provider works again")
	case reason.Refused():
		w.sessions.drop()
		w.log.Error("key provider is refused; this node is silent until it works again", "reason", reason, "err", err)
	default:
		w.log.Error("key provider fails", "reason", reason, "err", err)
	}
}

func (w *Worker) report(r protocol.Report) {
	w.cfg.Observe.Report(r)
	args := tracing.Args([]any{"id", r.ID}, r.Trace)
	if r.Job != "" {
		args = append(args, "job", r.Job)
	}
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
