package policy

import "github.com/frostfleet/frostfleet/internal/tx/intent"

// mark is the highest index of change that a key was seen to spend from.
type mark struct {
	index uint32
	taken uint32 // the one in the newest state
}

// highest is the highest index of change that a key was seen to spend from.
func (l *Ledger) highest(key string) uint32 {
	if l == nil || l.seen[key] == nil {
		return 0
	}
	return l.seen[key].index
}

// look notes the highest index of change that is spent from. A step is bounded like that
// of change itself: inputs can be made up.
func (l *Ledger) look(in *intent.Intent, roots []intent.Root, gap uint32) {
	if in.Kind != intent.PSBT {
		return
	}
	for _, s := range in.Signatures {
		if len(s.Path) != 2 || s.Path[0] != 1 || s.Root < 0 || s.Root >= len(roots) {
			continue
		}
		id, index := roots[s.Root].ID, s.Path[1]
		if was := l.highest(id); index <= was || uint64(index) > uint64(was)+uint64(gap) {
			continue
		}
		if l.seen[id] == nil {
			if len(l.seen) >= maxSeen {
				continue
			}
			l.seen[id] = &mark{}
		}
		l.seen[id].index = index
		l.saves.rose = l.saves.rose || index-l.seen[id].taken > gap/2
	}
}
