package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// heads is what was read of entries: a look reads on from the last one.
type heads struct {
	lineage int // manifests that were known
	moves   *register.Moves
	next    uint64
}

// look reads how far the resharing is.
func (r *resharing) look(ctx context.Context) (*reshareState, error) {
	hash := r.next.Hash()
	s := &reshareState{
		Next: fmt.Sprintf("%x", hash), Needed: r.m.Quorum(), NeededBy: r.m.T,
		Approved: []int{}, Forced: []int{}, Present: []int{}, Absent: []int{},
	}
	l, err := register.Lineage(ctx, r.bus, r.m)
	if err != nil {
		return nil, err
	}
	if fork := l.Fork(); fork != nil {
		s.Fork = fork.Error()
	}
	s.Succeeds = l.Manifest(hash) != nil
	if err := r.presence(ctx, s); err != nil {
		return nil, err
	}
	if err := r.pacing(ctx, s); err != nil {
		return nil, err
	}
	return s, r.count(ctx, l, s)
}

// presence reads the heartbeats of both manifests' nodes. Who is revoked in an access list
// counts here, as this command has none; no gateway counts him.
func (r *resharing) presence(ctx context.Context, s *reshareState) error {
	messages, err := r.bus.Slots(ctx, bus.Presence, "presence.node.>")
	if err != nil {
		return fmt.Errorf("read PRESENCE: %w", err)
	}
	now, next := wire.NewOpener(r.m, nil), wire.NewOpener(r.next, nil)
	present := map[int]bool{}
	for _, msg := range messages {
		log := wire.LogMessage{Subject: msg.Subject, Seq: msg.Seq, Time: msg.Time, Data: msg.Data}
		ref, h, err := now.Heartbeat(log)
		if err == nil {
			if a := h.Approval; a != nil && int(a.Node) == ref.Node && a.Verify(r.m, r.next.Hash()) == nil {
				s.Approved = append(s.Approved, ref.Node)
				if a.Forced {
					s.Forced = append(s.Forced, ref.Node)
				}
			}
			continue
		}
		if ref, h, err := next.Heartbeat(log); err == nil && !h.Leaving && time.Since(msg.Time) < presentFor {
			present[ref.Node] = true
		}
	}
	slices.Sort(s.Approved)
	slices.Sort(s.Forced)
	for i := range r.next.N {
		if present[i] {
			s.Present = append(s.Present, i)
		} else {
			s.Absent = append(s.Absent, i)
		}
	}
	return nil
}

// presentFor is how old the heartbeat of a node that is there may be, with clocks that differ
// a little.
const presentFor = 15 * time.Second

// pacing reads the administrator's last word.
func (r *resharing) pacing(ctx context.Context, s *reshareState) error {
	msg, found, err := r.bus.Last(ctx, bus.Control, wire.PaceSubject)
	if err != nil || !found {
		return err
	}
	p, err := wire.ParsePace(msg.Data)
	if err != nil {
		return err
	}
	hash := r.next.Hash()
	s.Running, s.said = p.Run && slices.Equal(p.Manifest, hash[:]), msg.Seq
	return nil
}

// count reads the heads that came since the last look. Where another manifest counts, it
// begins anew: heads of its nodes did not before.
func (r *resharing) count(ctx context.Context, l *wire.Lineage, s *reshareState) error {
	if n := len(l.Chain()); r.seen.moves == nil || r.seen.lineage != n {
		r.seen = heads{lineage: n, moves: register.NewMoves(l), next: 1}
	}
	for more := true; more; {
		var messages []bus.Message
		var err error
		if messages, more, err = r.bus.Part(ctx, bus.Keys, r.seen.next, "entry.*.*.head"); err != nil {
			return fmt.Errorf("read KEYS: %w", err)
		}
		for _, msg := range messages {
			r.seen.next = msg.Seq + 1
			if err := r.seen.moves.Take(msg.Data); err != nil && !errors.Is(err, wire.ErrOtherFleet) {
				note(r.cmd, "%s does not count: %v", msg.Subject, err)
			}
		}
	}
	of := r.next
	if l.Manifest(of.Hash()) == nil { // nothing has moved there yet
		moved := r.seen.moves.To(r.m)
		s.Left, s.LeftB = moved.Done.Keys+moved.Left.Keys, moved.Done.Batches+moved.Left.Batches
		return nil
	}
	moved := r.seen.moves.To(of)
	s.Moved, s.MovedB, s.Left, s.LeftB = moved.Done.Keys, moved.Done.Batches, moved.Left.Keys, moved.Left.Batches
	return nil
}
