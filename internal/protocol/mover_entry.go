package protocol

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What an attempt comes to: an entry of the next generation.

// moved is an entry of a later generation, or why there is none.
type moved struct {
	batch *finishedBatch
	write WriteEntry
	err   error
}

func (moved) event() {}

// sum has the entry of an attempt made that all new nodes certified.
func (m *mover) sum(one *moving) {
	one.summing = true
	digests, _ := one.attempt.Digests()
	f, r, from, next := *one.from, one.Reshare, one.from.view.manifest, one.next.manifest
	f.BatchRef = wire.BatchRef{ID: f.ID, Generation: r.To}
	f.view, f.transcript, f.public = one.next, wire.Transcript(digests), nil
	keys, certs, deals := one.from.keys(), one.attempt.Certificates(), one.attempt.Deals()
	m.out.do(Compute{Name: "make entry", Run: func() Event {
		made := moved{batch: &f}
		if f.public, made.err = sumUpLater(&r, from, next, publicKeys(keys), deals); made.err == nil &&
			wire.KeyRoot(f.keys()) != f.root {
			made.err = errOtherKeys
		}
		made.write = WriteEntry{ID: f.ID, Generation: r.To, Deals: deals, Head: wire.Encode(wire.NewLaterHead(&r, keys, certs, digests))}
		return made
	}})
}

func publicKeys(keys []wire.EntryKey) (all [][]byte) {
	for _, k := range keys {
		all = append(all, k.PublicKey)
	}
	return all
}

// onMoved has an entry written.
func (m *mover) onMoved(e moved) {
	one := m.moves[e.batch.ID]
	if one == nil || one.To != e.batch.Generation {
		return
	}
	if e.err != nil { // all nodes of a manifest certified it
		m.giveUp(one, &setback{wire.CodeInternal, e.err.Error(), -1, true})
		return
	}
	m.writing[e.batch.BatchRef] = e.batch
	m.out.do(e.write)
}

// onWritten takes a batch into the directory that KEYS has acknowledged, all of it.
func (m *mover) onWritten(e EntryWritten) *finishedBatch {
	ref := wire.BatchRef{ID: e.ID, Generation: e.Generation}
	f := m.writing[ref]
	if f == nil {
		return nil
	}
	delete(m.writing, ref)
	if e.Err != nil { // somebody else may have succeeded
		m.out.do(Report{What: ReportBadEntry, Kind: wire.KindKeygen, ID: f.ID, Culprit: -1,
			Reason: fmt.Sprintf("not written: %v", e.Err)}, Refetch{ID: f.ID, Register: true})
		if one := m.moves[e.ID]; one != nil && one.To == e.Generation {
			m.giveUp(one, &setback{wire.CodeInternal, "its entry was not written", -1, false})
		}
		return nil
	}
	m.out.do(Report{What: ReportReshared, Kind: wire.KindKeygen, ID: f.ID, Suite: frost.Suite(f.header.Suite),
		Count: int(f.header.K), Culprit: -1})
	return m.directory.add(f)
}

// onFinished ends the moving of a batch to where it is now, whoever brought it there.
func (m *mover) onFinished(f *finishedBatch) {
	if one := m.moves[f.ID]; one != nil && one.from != f {
		m.close(one)
	}
	delete(m.pasts, f.ID)
	if _, ok := m.leaves(f); ok {
		m.queue = append(m.queue, f.ID)
	}
	m.schedule(false)
}
