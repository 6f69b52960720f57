package register

import (
	"errors"

	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Copies is where a node keeps its copy of the register: a *keystore.Store.
type Copies interface {
	Copy(batch string) (*keystore.Copy, error)
	Deal(batch string, dealer int) ([]byte, error)
}

// HeadOf makes an entry's head of a node's copy. It is an error if the copy is damaged,
// or the batch not complete.
func HeadOf(s Copies, m *wire.Manifest, batch string) ([]byte, error) {
	c, err := s.Copy(batch)
	if err != nil {
		return nil, err
	}
	if c.Certificates == nil {
		return nil, errors.New("the batch is not complete")
	}
	e, err := fromCopy(m, c)
	if err != nil {
		return nil, err
	}
	return e.Head, nil
}

// AnswerEntry answers a question about an entry from a node's storage. The error is the
// storage's: a question that makes no sense has the answer that nothing is there.
func AnswerEntry(s Copies, m *wire.Manifest, a *wire.Ask) (held *wire.Held, err error) {
	held = &wire.Held{Version: wire.HoldingsVersion, Kind: a.Kind, Number: a.Number}
	switch {
	case a.Kind == wire.AskHead:
		held.Data, err = HeadOf(s, m, a.Holding.ID())
	case int(a.Deal) >= m.N: // whoever asks so has no claim withdrawn by it
	default:
		held.Data, err = s.Deal(a.Holding.ID(), int(a.Deal))
	}
	return held, err
}
