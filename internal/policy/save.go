package policy

import "time"

// Save is a state to be stored: atomically, in place of the one before, and synced. Saved
// is to be called with its number then, and not if it failed: a state that can't be stored
// is to be tried again, and the shares that wait for it wait.
type Save struct {
	Seq   uint64
	taken *snapshot
}

// saves is which states were asked for and which are on disk. One is written at a time.
type saves struct {
	last   uint64 // number of the newest state
	stored uint64 // number of the one on disk, as far as this process knows
	flying bool   // the newest is being written
	wanted bool   // and another one is wanted after it
	rose   bool   // an index of change is far above the one on disk
}

// next is the number of the first state that has what is charged now.
func (s *saves) next() uint64 {
	if s.wanted {
		return s.last + 1
	}
	return s.last // made by this charge
}

// waits is a number that is still to be waited for, or 0.
func (s *saves) waits(seq uint64) uint64 {
	if seq <= s.stored {
		return 0
	}
	return seq
}

// want asks for a state: at once, or once the one that is being written is on disk.
func (l *Ledger) want() *Save {
	if l.saves.flying {
		l.saves.wanted = true
		return nil
	}
	return l.save(false)
}

func (l *Ledger) wantIf(wanted bool) *Save {
	if !wanted {
		return nil
	}
	return l.want()
}

// save makes a state of what is now.
func (l *Ledger) save(clean bool) *Save {
	l.saves.last++
	l.saves.flying, l.saves.wanted, l.saves.rose = true, false, false
	for _, n := range l.counters {
		n.taken = 0
	}
	for _, m := range l.seen {
		m.taken = m.index
	}
	l.taken = map[string]uint64{}
	for id, limit := range l.limits {
		if limit.window.kept() {
			l.taken[id] = limit.block()
		}
	}
	return &Save{l.saves.last, l.snapshot(clean)}
}

// Saved says that a state is on disk. Whoever waits for its number, or a lower one, may go
// on. It returns the next state, if one is wanted by now.
func (l *Ledger) Saved(seq uint64) *Save {
	if l == nil || seq != l.saves.last || !l.saves.flying {
		return nil
	}
	l.saves.flying, l.saves.stored = false, seq
	l.durable = l.taken
	for _, n := range l.counters {
		n.pending = n.taken
	}
	return l.wantIf(l.saves.wanted)
}

// Seq is the number of the newest state that is on disk. It only rises, until a ledger is
// lost. Whoever keeps it elsewhere can tell later that a node was given an older state back
// (Doubt).
func (l *Ledger) Seq() uint64 {
	if l == nil {
		return 0
	}
	return l.saves.stored
}

// Close is the last state of a process that ends in order: with it the counters are exact,
// and no block counts as used. Nothing may be charged afterwards, and no state that was
// made before may be stored after it.
func (l *Ledger) Close(now time.Time) Save {
	l.tick(now)
	return *l.save(true)
}
