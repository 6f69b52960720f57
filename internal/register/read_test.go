package register_test

import (
	"context"
	"errors"
	"testing"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// followed is a log whose follower hands on messages, and then ends as followers do.
type followed struct {
	messages []bus.Message
	lost     error
	passes   int
}

func (l *followed) FollowToEnd(
	ctx, _ context.Context, stream bus.Stream, from uint64, opt bus.FollowOptions,
) (*bus.Follower, error) {
	if l.passes++; stream != bus.Keys || from != 1 {
		return nil, errors.New("not KEYS from its beginning")
	}
	for _, m := range l.messages {
		opt.Handler(m)
	}
	if l.lost != nil {
		opt.Lost(l.lost)
	}
	return nil, ctx.Err()
}

// post writes entries with their deals first, and junk in between.
func (l *followed) post(t *testing.T, all ...*register.Entry) {
	add := func(subject string, data []byte) {
		l.messages = append(l.messages, bus.Message{Subject: subject, Seq: uint64(len(l.messages) + 1), Data: data})
	}
	for _, e := range all {
		for i, deal := range e.Deals {
			add(wire.EntryDealSubject(e.ID, 0, i), deal)
		}
		add(wire.EntryHeadSubject(e.ID, 0), []byte("junk"))
		add("manifest.x", []byte("a manifest"))
		add(wire.EntryHeadSubject(e.ID, 0), e.Head)
	}
}

// Read follows KEYS, so that a replica that lags is not taken for all of it, and says
// when KEYS was not one stream from beginning to end.
func TestRead(t *testing.T) {
	f := wiretest.New(t, 2, 3, nil)
	all := entries(t, f, 3)
	l := &followed{}
	l.post(t, all...)
	seen := 0
	sum, err := register.Read(t.Context(), l, f.Manifest, func(*register.Entry) error { seen++; return nil })
	if err != nil || seen != 3 || l.passes != 2 || sum != (register.Summary{Entries: 3, Keys: 6, Dropped: 3}) {
		t.Errorf("%d entries in %d passes, %+v, %v", seen, l.passes, sum, err)
	}
	full := errors.New("disk full")
	seen = 0
	_, err = register.Read(t.Context(), l, f.Manifest, func(*register.Entry) error { seen++; return full })
	if !errors.Is(err, full) || seen != 1 {
		t.Errorf("%d entries after a failure, %v", seen, err)
	}
	l.lost = errors.New("created anew")
	_, err = register.Read(t.Context(), l, f.Manifest, func(*register.Entry) error { return nil })
	if !errors.Is(err, l.lost) {
		t.Errorf("KEYS was lost meanwhile: %v", err)
	}
}
