package worker

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/clock"
	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// LedgerFile is where a node keeps what its policy let through, in its storage folder.
const LedgerFile = "policy.ledger"

// There is one ledger in a process, whatever manifests it has members of: what a limit lets
// through is let through once. It is in storage_path itself, and stays there when the
// manifest that the process is configured with changes. All members' keystores note its
// number.

// openLedger reads the ledger of the last run. One that is missing or damaged was lost,
// unless there never was one, and so was what came after one that is older than the keystore
// says: what they counted is not known then, and the policy says what follows from that. A
// node that comes into a fleet that was there before begins like one that lost it: who moves
// a node to other storage, or has another one take its place, must not double the limits.
func (w *Worker) openLedger() (err error) {
	p := w.cfg.Policy
	if p == nil {
		w.log.Warn("no policy: this node signs whatever its clients ask for")
		return nil
	}
	noted, had, err := w.store.Ledger()
	if err != nil {
		return err
	}
	path, now := w.ledgerPath(), clock.Now()
	text, err := secret.File{What: "ledger", Path: path, Max: policy.MaxState}.Bytes()
	var save policy.Save
	switch {
	case err == nil:
		w.ledger, save, err = policy.OpenLedger(p, text.Expose(), now)
		if err != nil {
			w.log.Error("the ledger of the policy can't be read; what counts over time is denied for one window", "file", path, "err", err)
			w.ledger, save = policy.LostLedger(p, now, "this node's ledger could not be read")
		} else if seq := w.ledger.Seq(); seq < noted {
			w.log.Error("the ledger of the policy is an old copy; what counts over time is denied for one window", "file", path,
				"number", seq, "latest", noted)
			w.ledger.Doubt("this node's ledger is an old copy", now)
		}
	case errors.Is(err, fs.ErrNotExist) && !had && !w.cfg.Manifest.Successor():
		w.ledger, save = policy.NewLedger(p, now)
	case errors.Is(err, fs.ErrNotExist) && !had:
		w.log.Warn("a new node of a fleet that signed before: what counts over time is denied for one window", "file", path)
		w.ledger, save = policy.LostLedger(p, now, "this node is new in its fleet")
	case errors.Is(err, fs.ErrNotExist):
		w.log.Error("the ledger of the policy is gone; what counts over time is denied for one window", "file", path)
		w.ledger, save = policy.LostLedger(p, now, "this node's ledger was lost")
	default: // its mode, say: somebody can put that right
		return err
	}
	err = nil
	if !had { // the note comes first: a ledger that is lost in between was there
		err = w.store.NoteLedger(0)
	}
	for next := &save; next != nil && err == nil; next = w.ledger.Saved(next.Seq) {
		if err = secret.Replace(path, next.Encode()); err == nil {
			err = w.store.NoteLedger(next.Seq)
		}
	}
	return err
}

func (w *Worker) ledgerPath() string { return filepath.Join(w.cfg.Storage, LedgerFile) }

// saveLedger writes a state of the ledger, for as long as it takes.
func (w *Worker) saveLedger(e protocol.SaveLedger) {
	pause := backoff.Backoff{Min: 100 * time.Millisecond, Max: 5 * time.Second}
	state := e.Encode()
	for failed := false; ; failed = true {
		err := secret.Replace(w.ledgerPath(), state)
		if err == nil {
			if failed {
				w.log.Info("the ledger of the policy is stored again")
			}
			w.unsaved.Store(nil)
			for _, m := range w.all() { // the commitments of each may wait for it
				m.run.Step(protocol.LedgerSaved{Seq: e.Seq})
			}
			// Nothing waits for the note: it tells an old copy from this state.
			if err := w.noteLedger(e.Seq); err != nil {
				w.log.Error("the number of the policy's ledger is not noted", "err", err)
			}
			return
		}
		if w.unsaved.Store(&err); !failed {
			w.log.Error("the ledger of the policy is not stored; jobs that are beyond what is stored wait", "err", err)
		}
		if pause.Wait(w.run.Life()) != nil {
			return
		}
	}
}

func (w *Worker) noteLedger(seq uint64) (err error) {
	for _, m := range w.all() {
		err = errors.Join(err, m.store.NoteLedger(seq))
	}
	return err
}

// closeLedger stores the last state, once all machines are stopped.
func (w *Worker) closeLedger() error {
	if w.ledger == nil {
		return nil
	}
	save := w.ledger.Close(clock.Now())
	w.ledger = nil
	if err := secret.Replace(w.ledgerPath(), save.Encode()); err != nil {
		return err
	}
	return w.noteLedger(save.Seq)
}
