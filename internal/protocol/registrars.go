package protocol

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// registrars are those of all manifests that a gateway goes by: each has nodes of its own,
// and a batch is of one of them.
type registrars struct {
	views     *views
	directory *directory
	out       *outbox
	of        map[*view]*registrar
}

// newRegistrars returns what has no directory yet.
func newRegistrars(s *views, out *outbox) *registrars {
	return &registrars{views: s, out: out, of: map[*view]*registrar{}}
}

// follow has every manifest's rounds followed.
func (r *registrars) follow() {
	for _, v := range r.views.chain {
		if r.of[v] == nil {
			r.of[v] = newRegistrar(v, r.directory, r.out)
		}
	}
}

// transcriptOf tells the transcript of an entry that is being written.
func (r *registrars) transcriptOf(ref wire.BatchRef) (transcript [32]byte, ok bool) {
	for _, one := range r.of {
		if f := one.writing[ref.ID]; f != nil && ref.Generation == 0 {
			return f.transcript, true
		}
	}
	return transcript, false
}

// onRounds takes a message of the rounds. It returns the batch and the slot that the
// message changed, if it did. A node of each manifest may stand behind an index: its seal
// tells.
func (r *registrars) onRounds(msg wire.LogMessage, again bool) (b *board.Batch, slot wire.Slot, changed bool) {
	slot, err := wire.ParseSlot(msg.Subject)
	if err != nil || slot.Kind.Resharing() {
		return nil, slot, false
	}
	for i := len(r.views.chain) - 1; i >= 0 && !changed; i-- {
		b, slot, changed = r.of[r.views.chain[i]].onRounds(msg, again)
	}
	return b, slot, changed
}

// onAssembled has an entry written. It returns the node whose certificate is false, or -1.
func (r *registrars) onAssembled(e assembled) (culprit int) { return r.of[e.batch.view].onAssembled(e) }

func (r *registrars) onTimer(t Timer) {
	for _, v := range r.views.chain {
		r.of[v].onTimer(t)
	}
}

// forget lets go of a batch that stands in the register.
func (r *registrars) forget(id string) {
	for _, one := range r.of {
		one.rounds.Forget(id)
	}
}

// each has something done with every manifest's rounds.
func (r *registrars) each(do func(*board.Board)) {
	for _, v := range r.views.chain {
		do(r.of[v].rounds)
	}
}

func (r *registrars) lost()                  { r.each((*board.Board).Lost) }
func (r *registrars) doubt()                 { r.each((*board.Board).Doubt) }
func (r *registrars) expire(since time.Time) { r.each(func(b *board.Board) { b.Expire(since) }) }

// onWritten takes a batch into the directory that KEYS has acknowledged, all of it.
func (r *registrars) onWritten(e EntryWritten) (f *finishedBatch) {
	for _, v := range r.views.chain {
		if one := r.of[v]; e.Generation == 0 && one.writing[e.ID] != nil {
			return one.onWritten(e)
		}
	}
	return nil
}
