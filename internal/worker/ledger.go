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

// maxLedger is more than any ledger has, in bytes.
const maxLedger = 64 << 20

// openLedger reads the ledger of the last run. One that is missing or damaged was lost,
// unless there never was one: what it counted is not known then, and the policy says what
// follows from that.
func (w *Worker) openLedger() (err error) {
	p := w.cfg.Policy
	if p == nil {
		w.log.Warn("no policy: this node signs whatever its clients ask for")
		return nil
	}
	had, err := w.store.HadLedger()
	if err != nil {
		return err
	}
	path, now := w.ledgerPath(), clock.Now()
	text, err := secret.File{What: "ledger", Path: path, Max: maxLedger}.Bytes()
	var save policy.Save
	switch {
	case err == nil:
		w.ledger, save, err = policy.OpenLedger(p, text.Expose(), now)
		if err != nil {
			w.log.Error("the ledger of the policy can't be read; what counts over time is denied for one window", "file", path, "err", err)
			w.ledger, save = policy.LostLedger(p, now, "this node's ledger could not be read")
		}
	case errors.Is(err, fs.ErrNotExist) && !had:
		w.ledger, save = policy.NewLedger(p, now)
	case errors.Is(err, fs.ErrNotExist):
		w.log.Error("the ledger of the policy is gone; what counts over time is denied for one window", "file", path)
		w.ledger, save = policy.LostLedger(p, now, "this node's ledger was lost")
	default: // its mode, say: somebody can put that right
		return err
	}
	// The note comes first: a ledger that is lost in between was there.
	if err := errors.Join(w.store.NoteLedger(), secret.Replace(path, save.Encode())); err != nil {
		return err
	}
	w.ledger.Saved(save.Seq)
	return nil
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
			w.run.Step(protocol.LedgerSaved{Seq: e.Seq})
			return
		}
		if w.unsaved.Store(&err); !failed {
			w.log.Error("the ledger of the policy is not stored; signatures that are beyond what is stored wait", "err", err)
		}
		if pause.Wait(w.run.Life()) != nil {
			return
		}
	}
}

// closeLedger stores the last state, once the machine is stopped.
func (w *Worker) closeLedger() error {
	if w.ledger == nil {
		return nil
	}
	return secret.Replace(w.ledgerPath(), w.ledger.Close(clock.Now()).Encode())
}
