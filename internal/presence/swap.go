package presence

import (
	"context"
	"errors"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// One link of the chain, and what it means that a swap fails.

// beat swaps one heartbeat. It fails only if another process has the subject.
func (b *Beat) beat(ctx context.Context, leaving bool) *TwinError {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	for range retries {
		done, twin := b.try(ctx, leaving)
		if done || twin != nil {
			return twin
		}
	}
	return nil
}

// try makes one swap. It is done if it was stored, or if there is no contact.
func (b *Beat) try(ctx context.Context, leaving bool) (done bool, twin *TwinError) {
	sealed, err := b.sealed(ctx, b.cfg.Subject, b.last, leaving)
	if err != nil {
		b.why = err
		return true, nil // no key to sign with: this node is silent anyhow
	}
	seq, err := b.cfg.Board.Swap(ctx, b.cfg.Subject, sealed, b.last)
	b.why = err
	if !errors.Is(err, bus.ErrConflict) {
		b.sent.add(sealed) // also without an answer
	}
	if err == nil {
		b.last, b.mine = seq, seq
		return true, nil
	}
	if !errors.Is(err, bus.ErrConflict) {
		b.cfg.Log.Debug("heartbeat not stored", "err", err)
		return true, nil
	}
	other, err := b.reread(ctx)
	if err != nil {
		b.why = err
		return true, nil
	}
	if other == nil {
		return false, nil
	}
	if b.cfg.Twin == "" {
		if b.beside != other.Boot { // once for each, not every second
			b.beside = other.Boot
			b.cfg.Log.Warn("another process publishes heartbeats under this name", "other", other.Process())
		}
		return false, nil
	}
	return true, &TwinError{Subject: b.cfg.Subject, Other: *other}
}

// reread learns what the subject ends with, and returns the heartbeat of another
// process that came after this one's. Whatever else is there is to be replaced: junk, a
// copy of something older, a last word, or what this process itself stored, with or
// without being told.
//
// The boot does not tell whose a heartbeat is: of a machine that is resumed twice from
// one snapshot there are two processes with one boot, one key and the same nonces.
func (b *Beat) reread(ctx context.Context) (*wire.Heartbeat, error) {
	m, found, err := b.cfg.Board.LastAtLeader(ctx, bus.Presence, b.cfg.Subject)
	if err != nil {
		return nil, err
	}
	if !found {
		b.last = 0
		return nil, nil
	}
	if b.last = m.Seq; m.Seq < b.past {
		b.past = 0 // the stream began anew
	}
	if b.sent.has(m.Data) {
		b.mine = max(b.mine, m.Seq)
		return nil, nil
	}
	h, err := b.open(m)
	if err != nil || h.Leaving || h.After < max(b.mine, b.past) {
		return nil, nil //nolint:nilerr // junk is replaced
	}
	return h, nil
}

func (b *Beat) open(m bus.Message) (*wire.Heartbeat, error) {
	return b.cfg.Open(wire.LogMessage{Subject: m.Subject, Seq: m.Seq, Time: m.Time, Data: m.Data})
}
