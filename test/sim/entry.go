package sim

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// entryWriter stores one batch's entry, message by message, as a gateway's program
// does. Its process may end between two of them.
type entryWriter struct {
	l      *gatewayLife
	done   protocol.Event // once all of it is acknowledged
	e      protocol.WriteEntry
	entry  *wire.Entry
	part   int    // 0 is the head, i+1 the deal of node i
	judged uint64 // everything under the part's subject up to here is junk
}

func (l *gatewayLife) writeEntry(e protocol.WriteEntry) {
	l.store(e, protocol.EntryWritten{ID: e.ID, Generation: e.Generation, Job: e.Job, Trace: e.Trace})
}

func (l *gatewayLife) store(e protocol.WriteEntry, done protocol.Event) {
	entry, err := wire.VerifyEntry(e.Head, l.lineage)
	if err != nil || entry.ID != e.ID || entry.Generation != e.Generation {
		l.w.fail(RuleEntry, "%s wants to write what does not verify: %v", l.g.name, err)
		return
	}
	l.w.check.leaks(l.g.name, "an entry", e.Head)
	(&entryWriter{l: l, done: done, e: e, entry: entry}).send()
}

func (x *entryWriter) message() (subject string, data []byte) {
	if x.part == 0 {
		return wire.EntryHeadSubject(x.e.ID, x.e.Generation), x.e.Head
	}
	return wire.EntryDealSubject(x.e.ID, x.e.Generation, x.part-1), x.e.Deals[x.part-1]
}

func (x *entryWriter) send() {
	w := x.l.w
	if x.l.alive && w.fault(EntryCrash) {
		x.l.crash()
	}
	if !x.l.alive {
		return
	}
	if x.part > len(x.e.Deals) {
		x.l.step(x.done)
		return
	}
	subject, data := x.message()
	if w.fault(Squat) {
		w.squatEntry(subject)
	}
	w.bus.remember(subject, data)
	w.at(w.lag(), func() { x.arrive(subject, data) })
}

func (x *entryWriter) arrive(subject string, data []byte) {
	w := x.l.w
	if w.fault(PublishLost) {
		x.again()
		return
	}
	if w.bus.keys.put(subject, data, int64(x.judged)) {
		w.tracef("%s -> KEYS %s", x.l.g.name, short(subject))
		if w.fault(AckLost) {
			x.again()
			return
		}
		x.next()
		return
	}
	w.at(w.lag(), func() { x.conflict(subject) })
}

// conflict judges what stands under the subject.
func (x *entryWriter) conflict(subject string) {
	w := x.l.w
	if !x.l.alive {
		return
	}
	for _, standing := range w.bus.standing(subject, x.judged) {
		if x.isValue(standing.Data) {
			x.next()
			return
		}
		x.judged = standing.Seq
	}
	x.again()
}

func (x *entryWriter) isValue(data []byte) bool {
	if x.part > 0 {
		return x.entry.VerifyDeal(x.part-1, data) == nil
	}
	standing, err := wire.VerifyEntry(data, x.l.lineage)
	if err != nil || standing.ID != x.e.ID || standing.Generation != x.e.Generation {
		return false
	}
	if !standing.Same(x.entry) {
		x.l.w.fail(RuleEntry, "two valid entries of batch %s", x.e.ID)
	}
	return true
}

func (x *entryWriter) next() {
	x.part, x.judged = x.part+1, 0
	x.l.w.at(0, x.send)
}

func (x *entryWriter) again() {
	x.l.w.at(x.l.w.between(50*time.Millisecond, 600*time.Millisecond), x.send)
}

// squatEntry puts something under a subject of KEYS before the gateway does: junk, or
// a message of another entry.
func (w *world) squatEntry(subject string) {
	data := make([]byte, w.rng.IntN(200))
	w.bytes(data)
	if n := len(w.bus.keys.msgs); n > 0 && w.rng.IntN(2) == 0 {
		data = w.bus.keys.msgs[w.rng.IntN(n)].Data
	}
	w.bus.keys.put(subject, data, -1)
}

// registered reports whether the true KEYS has all of a batch's entry. It forgets
// nothing.
func (c *checker) registered(batch string) bool {
	if !c.entries[batch] {
		c.entries[batch] = c.w.inKeys(batch)
	}
	return c.entries[batch]
}

// inKeys reports whether KEYS has all of a batch's first generation.
func (w *world) inKeys(batch string) bool {
	return slices.ContainsFunc(w.wholeIn(batch), func(e *wire.Entry) bool { return e.Generation == 0 })
}

// forms counts the heads of first generations in KEYS, once each.
func (w *world) forms() (plain, compact int) {
	seen := map[string]bool{}
	for _, m := range w.bus.keys.msgs {
		if _, head := wire.IsEntry(m.Subject); !head || seen[m.Subject] {
			continue
		}
		if e := w.head(m.Data); e != nil && e.Generation == 0 && m.Subject == wire.EntryHeadSubject(e.ID, 0) {
			seen[m.Subject] = true
			if e.Version == wire.CompactVersion {
				compact++
			} else {
				plain++
			}
		}
	}
	return plain, compact
}

// head is an entry that verifies, nil if it is none.
func (w *world) head(data []byte) *wire.Entry {
	e, ok := w.verified[string(data)]
	if !ok {
		if w.verified == nil {
			w.verified = map[string]*wire.Entry{}
		}
		e, _ = wire.VerifyEntry(data, w.all)
		w.verified[string(data)] = e
	}
	return e
}

// wholeIn are the entries of a batch that KEYS has all of, by their generation.
func (w *world) wholeIn(batch string) (whole []*wire.Entry) {
	var mine []wire.LogMessage // and what was squatted
	for _, m := range w.bus.keys.msgs {
		if strings.HasPrefix(m.Subject, "entry."+batch) {
			mine = append(mine, m)
		}
	}
	seen := map[uint32]bool{}
	for _, m := range mine {
		if _, head := wire.IsEntry(m.Subject); !head {
			continue
		}
		entry := w.head(m.Data)
		if entry == nil || entry.ID != batch || seen[entry.Generation] || m.Subject != wire.EntryHeadSubject(batch, entry.Generation) {
			continue
		}
		found := map[int]bool{}
		for _, d := range mine {
			for i := range entry.Deals {
				if entry.VerifyDeal(i, d.Data) == nil {
					found[i] = true
				}
			}
		}
		if len(found) == len(entry.Deals) {
			seen[entry.Generation] = true
			whole = append(whole, entry)
		}
	}
	slices.SortFunc(whole, func(a, b *wire.Entry) int { return cmp.Compare(a.Generation, b.Generation) })
	return whole
}
