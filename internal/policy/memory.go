package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// memory is which jobs were charged, so that each is charged once, and a job that bumps
// its fee only for what it takes more. It is not durable: what is forgotten is charged
// again, which is too much and never too little.
type memory struct {
	digests map[[32]byte]*charged
	jobs    map[jobKey]*charged
	order   [][32]byte // of digests: a ring, once it is full
	oldest  int
}

type jobKey struct{ client, job string }

// charged is a job that was charged.
type charged struct {
	key    jobKey
	wait   uint64 // number of the state that had to be on disk first
	group  *group
	agreed bool // to sign it; else it counts since others seemed to
}

// group is jobs that spend the same inputs and make the same payments. One of them at most
// is ever confirmed, so what they cost is what the dearest does.
type group struct {
	id      [32]byte
	charges []Charge // of the dearest that was agreed to, as far as there is room
}

// maxGroup is how many charges of money a group has. A job may sign with a hundred keys, each
// with a counter of its own; what there is no room for is charged anew to a job that replaces.
const maxGroup = 32

func newMemory() memory {
	return memory{digests: map[[32]byte]*charged{}, jobs: map[jobKey]*charged{}}
}

// replaced is what a job's Replaces names.
type replaced int

const (
	replacesUnknown replaced = iota // nothing that is remembered: the job is charged in full
	replacesSame                    // a job with the same inputs and payments
	replacesOther                   // another job
)

func (l *Ledger) replaces(ask *Ask, payments []intent.Payment) replaced {
	if l == nil {
		return replacesUnknown
	}
	_, what := l.jobs.replaces(ask, payments)
	return what
}

func (m *memory) replaces(ask *Ask, payments []intent.Payment) (*group, replaced) {
	earlier := m.jobs[jobKey{ask.Client, ask.Replaces}]
	switch {
	case ask.Replaces == "" || earlier == nil:
		return nil, replacesUnknown
	case earlier.group == nil || ask.Intent.Kind != intent.PSBT || earlier.group.id != groupID(ask.Intent, payments):
		return nil, replacesOther
	}
	return earlier.group, replacesSame
}

// groupID is the hash of a PSBT's inputs and payments, in any order.
func groupID(in *intent.Intent, payments []intent.Payment) [32]byte {
	b := make([]byte, 0, 96*(len(in.Spends)+len(payments)+1)) // one allocation, mostly
	text := func(s string) {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
	}
	spends := slices.Sorted(slices.Values(in.Spends))
	b = binary.BigEndian.AppendUint64(b, uint64(len(spends)))
	for _, s := range spends {
		text(s)
	}
	sorted := slices.SortedFunc(slices.Values(payments), func(a, b intent.Payment) int {
		if a.To != b.To {
			return compare(a.To, b.To)
		}
		return compare(a.Units, b.Units)
	})
	for _, p := range sorted {
		text(p.To)
		text(p.Asset)
		b = binary.BigEndian.AppendUint64(b, p.Units)
	}
	return sha256.Sum256(b)
}

func compare[T string | uint64](a, b T) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// due is what a job is still to be charged, and whether it was agreed to already. What only
// counts is due in full: somebody may have had it counted, and the window is over.
func (m *memory) due(ask *Ask, payments []intent.Payment, charges []Charge) (due []Charge, agreed bool) {
	if c := m.digests[ask.Digest]; c != nil && c.agreed {
		return nil, true
	}
	g, _ := m.replaces(ask, payments)
	if g == nil {
		return charges, false
	}
	for _, c := range charges {
		if c.Units -= min(c.Units, unitsOf(g.charges, c)); c.Units > 0 {
			due = append(due, c)
		}
	}
	return due, false
}

// unitsOf is what a list has of a charge's counter.
func unitsOf(list []Charge, c Charge) uint64 {
	if i := slices.IndexFunc(list, c.same); i >= 0 {
		return list[i].Units
	}
	return 0
}

// charge remembers a job, and returns what it is to be charged: once when it only counts,
// and once when it is agreed to.
func (m *memory) charge(ask *Ask, d *Decision) (due []Charge) {
	c := m.digests[ask.Digest]
	if c != nil && (c.agreed || d.Verdict != Allowed) {
		return nil
	}
	due, _ = m.due(ask, d.Payments, d.Charges)
	if c == nil {
		c = m.remember(ask, d)
	}
	if c.agreed = d.Verdict == Allowed; c.agreed && c.group != nil {
		c.group.charges = dearest(c.group.charges, d.Charges)
	}
	return due
}

func (m *memory) remember(ask *Ask, d *Decision) *charged {
	g, _ := m.replaces(ask, d.Payments)
	if g == nil && ask.Intent.Kind == intent.PSBT {
		g = &group{id: groupID(ask.Intent, d.Payments)}
	}
	c := &charged{key: jobKey{ask.Client, ask.Job}, group: g}
	m.digests[ask.Digest], m.jobs[c.key] = c, c
	if len(m.order) < maxJobs {
		m.order = append(m.order, ask.Digest)
		return c
	}
	m.forget(m.order[m.oldest])
	m.order[m.oldest] = ask.Digest
	m.oldest = (m.oldest + 1) % maxJobs
	return c
}

// dearest is of each counter of money what the dearer of two jobs is charged.
func dearest(list, charges []Charge) []Charge {
	for _, c := range charges {
		switch i := slices.IndexFunc(list, c.same); {
		case i >= 0:
			list[i].Units = max(list[i].Units, c.Units)
		case isMoney(c.limit.asset) && len(list) < maxGroup:
			list = append(list, c)
		}
	}
	return list
}

func (m *memory) forget(digest [32]byte) {
	c := m.digests[digest]
	delete(m.digests, digest)
	if m.jobs[c.key] == c {
		delete(m.jobs, c.key)
	}
}

// wait is the number of the state that a job that was charged waits for.
func (m *memory) wait(digest [32]byte) uint64 { return m.digests[digest].wait }

func (m *memory) waits(digest [32]byte, seq uint64) { m.digests[digest].wait = seq }
