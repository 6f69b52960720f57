package register

import (
	"errors"

	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Copies is where a node keeps its copy of the register: a *keystore.Store.
type Copies interface {
	Find(batch string, transcript [16]byte) (keystore.Ref, error)
	Copy(ref keystore.Ref) (*keystore.Copy, error)
	Deal(ref keystore.Ref, dealer int) ([]byte, error)
}

// HeadOf makes an entry's head of a copy of a node of m. It is an error if the copy is damaged,
// or not complete.
func HeadOf(s Copies, m *wire.Manifest, known wire.ManifestSet, ref keystore.Ref) ([]byte, error) {
	c, err := s.Copy(ref)
	if err != nil {
		return nil, err
	}
	if c.Certificates == nil {
		return nil, errors.New("the batch is not complete")
	}
	e, err := fromCopy(m, known, c)
	if err != nil {
		return nil, err
	}
	return e.Head, nil
}

// AnswerEntry answers a question about an entry from the storage of a node of m. The error is the
// storage's: a question that makes no sense has the answer that nothing is there.
func AnswerEntry(s Copies, m *wire.Manifest, known wire.ManifestSet, a *wire.Ask) (held *wire.Held, err error) {
	held = &wire.Held{Version: wire.HoldingsVersion, Kind: a.Kind, Number: a.Number}
	ref, err := s.Find(a.Holding.ID(), [16]byte(a.Holding[16:]))
	if err != nil {
		return held, err
	}
	if a.Kind == wire.AskHead {
		held.Data, err = HeadOf(s, m, known, ref)
		return held, err
	}
	held.Data, err = s.Deal(ref, int(a.Deal))
	if errors.Is(err, keystore.ErrUnknown) { // whoever asks so has no claim withdrawn by it
		err = nil
	}
	if held.Data != nil {
		held.Data, _ = wire.EntryDeal(held.Data) // the node's own has its proofs
	}
	return held, err
}
