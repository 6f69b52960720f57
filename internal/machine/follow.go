package machine

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/clock"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Follow reads a stream of the log into the machine until intake stops. Unless
// opt.CaughtUp is there to be told, it returns once everything was read that was
// stored at the call.
func (r *Runner[M]) Follow(ctx context.Context, stream bus.Stream, from uint64, opt bus.FollowOptions) error {
	if opt.Handler == nil {
		opt.Handler = func(m bus.Message) { r.Read(stream, m) }
	}
	opt.Lost = func(err error) { r.lost(stream, err) }
	r.Step(protocol.Tick{Now: clock.Now()}) // live messages are judged by the clock
	var f *bus.Follower
	var err error
	if opt.CaughtUp != nil {
		f, err = r.cfg.Bus.Follow(ctx, stream, from, opt)
	} else {
		f, err = r.cfg.Bus.FollowToEnd(ctx, r.life, stream, from, opt)
	}
	if f != nil {
		r.OnStop(f.Stop)
		if stream == bus.Keys {
			r.keys.Store(f)
		}
	}
	return err
}

// Keys follows KEYS; nil before Start has it followed. After the end it says how far that
// went.
func (r *Runner[M]) Keys() *bus.Follower { return r.keys.Load() }

// rounds counts the nodes whose rounds are followed.
type rounds struct {
	mu sync.Mutex // held by who begins to follow some
	n  atomic.Int32
}

func (r *rounds) count() int { return int(r.n.Load()) }

// FollowRounds follows every node's rounds from their beginning: they hold some hours
// at most.
func (r *Runner[M]) FollowRounds(ctx context.Context) error {
	return r.followRounds(ctx, r.nodes())
}

// FollowFirstRounds is FollowRounds that waits for the rounds of the configured manifest's nodes
// alone. A later manifest may have more, whose streams the administrator has not made yet: what
// the fleet does without them must not wait.
func (r *Runner[M]) FollowFirstRounds(ctx context.Context) error {
	err := r.followRounds(ctx, r.cfg.Bus.Nodes())
	if err == nil {
		r.followMoreRounds()
	}
	return err
}

// followMoreRounds follows those of a later manifest's nodes, once they are there.
func (r *Runner[M]) followMoreRounds() {
	n := r.nodes()
	if r.rounds.count() == 0 || n <= r.rounds.count() {
		return
	}
	r.Intake(func(ctx context.Context) {
		if err := r.followRounds(ctx, n); err != nil && ctx.Err() == nil {
			r.Fail(fmt.Errorf("follow the rounds of the next manifest's nodes: %w", err))
		}
	})
}

// nodes is how many nodes the fleet's manifests have at most.
func (r *Runner[M]) nodes() int {
	n := r.cfg.Bus.Nodes()
	if l := r.Lineage(); l != nil {
		for _, m := range l.Chain() {
			n = max(n, m.N)
		}
	}
	return n
}

// followRounds follows the rounds of the first n nodes, but for those that are followed.
func (r *Runner[M]) followRounds(ctx context.Context, n int) error {
	opt := bus.FollowOptions{
		// n programs and more ask after n streams each while nothing happens.
		Idle:     max(minIdle, time.Duration(n)*time.Second/4),
		MaxBytes: max(maxRounds/max(n, 1), 2*wire.MaxMessageSize),
	}
	r.rounds.mu.Lock()
	defer r.rounds.mu.Unlock()
	if err := r.cfg.Bus.Grow(n); err != nil {
		return err
	}
	for node := r.rounds.count(); node < n; node++ {
		if err := r.Follow(ctx, bus.RoundsOf(node), 1, opt); err != nil {
			return err
		}
		r.rounds.n.Store(int32(node + 1))
	}
	return nil
}

const (
	minIdle   = 2 * time.Second
	maxRounds = 64 << 20 // bytes of messages of all rounds that wait for the machine
)

// Read steps the machine with a message of a stream.
func (r *Runner[M]) Read(stream bus.Stream, m bus.Message) {
	read := LogMessage(m)
	switch stream.Family() {
	case bus.Rounds:
		r.Step(protocol.RoundsMessage{LogMessage: r.slotMessage(read)})
	case bus.Keys:
		r.learn(read)
		msg := protocol.ReadKeysBeside(r.Lineage(), read, r.held(read.Subject))
		if e := msg.Head(); e != nil && r.cfg.Entry != nil {
			r.cfg.Entry(e, m)
		}
		r.Step(msg)
	case bus.Sign:
		r.Step(protocol.SignMessage{LogMessage: r.slotMessage(read), Now: clock.Now()})
	case bus.Presence:
		r.Step(protocol.PresenceMessage{LogMessage: read, Now: clock.Now()})
	case bus.Control:
		if m.Subject == wire.PaceSubject {
			r.paced(read)
			return
		}
		r.Step(controlMessage(read))
	case bus.Work:
		if wire.IsTaken(m.Subject) {
			return // a gateway's note, for gateways that look for it
		}
		read.Trace = r.cfg.Tracer.Parse(m.Header)
		r.Step(protocol.TaskMessage{LogMessage: read, Now: clock.Now()})
	default:
		panic(fmt.Sprintf("machine: stream %s is no part of the log", stream))
	}
}

// slotMessage is a message of a round. What the machine would open is decoded, hashed and its signature checked here,
// on the goroutine of its stream, and not in the machine's step. What it would not costs nothing.
func (r *Runner[M]) slotMessage(m wire.LogMessage) wire.LogMessage {
	if !r.opens(m) {
		return m
	}
	of := r.cfg.Manifest
	if l := r.Lineage(); of == nil && l != nil {
		of = l.Newest()
	}
	if of == nil {
		return m
	}
	return r.reader.Read(of, m)
}

// opens reports whether the machine would open a message of a round; one that can't tell may.
func (r *Runner[M]) opens(m wire.LogMessage) (opens bool) {
	picky, ok := any(r.machine).(interface {
		Opens(slot wire.Slot, size int) bool
	})
	if !ok {
		return true
	}
	slot, err := wire.ParseSlot(m.Subject)
	if err != nil {
		return false
	}
	r.With(func(M) { opens = picky.Opens(slot, len(m.Data)) })
	return opens
}

// held is the deal of a message of KEYS that the machine has, if it keeps any.
func (r *Runner[M]) held(subject string) (held protocol.Held) {
	if keeper, ok := any(r.machine).(interface {
		Held(subject string) protocol.Held
	}); ok {
		r.With(func(M) { held = keeper.Held(subject) })
	}
	return held
}

// controlMessage is what an administrator said, whoever carried it.
func controlMessage(m wire.LogMessage) protocol.Event {
	m.Subject, m.Data = wire.Uncarry(m.Subject, m.Data)
	return protocol.ControlMessage{LogMessage: m}
}

// LogMessage is a message of the bus as the machines read it.
func LogMessage(m bus.Message) wire.LogMessage {
	return wire.LogMessage{Subject: m.Subject, Seq: m.Seq, Time: m.Time, Data: m.Data}
}

// lost ends the process when KEYS is not the stream it was: the record of the
// fleet's keys must not be replaced under a running program. Losing other streams
// costs retries.
func (r *Runner[M]) lost(stream bus.Stream, err error) {
	if stream == bus.Keys {
		r.Fail(fmt.Errorf("the KEYS stream was recreated or cut: restore it from a mirror and start again: %w", err))
		return
	}
	r.log.Warn("stream was lost and starts anew", "stream", stream, "err", err)
	switch stream.Family() {
	case bus.Sign:
		r.Step(protocol.SignLost{})
	case bus.Rounds:
		r.Step(protocol.RoundsLost{})
	}
}
