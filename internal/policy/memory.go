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
	key   jobKey
	wait  uint64 // number of the state that had to be on disk first
	group *group
}

// group is jobs that spend the same inputs and make the same payments. One of them at most
// is ever confirmed, so what they cost is what the dearest does.
type group struct {
	id      [32]byte
	charges []Charge
}

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
	h := sha256.New()
	text := func(s string) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
		h.Write([]byte(s))
	}
	spends := slices.Sorted(slices.Values(in.Spends))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(spends))))
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
		h.Write(binary.BigEndian.AppendUint64(nil, p.Units))
	}
	return [32]byte(h.Sum(nil))
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

// due is what a job is still to be charged, and whether it was charged already.
func (m *memory) due(ask *Ask, payments []intent.Payment, charges []Charge) (due []Charge, again bool) {
	if m.digests[ask.Digest] != nil {
		return nil, true
	}
	g, _ := m.replaces(ask, payments)
	if g == nil {
		return charges, false
	}
	for _, c := range charges {
		for _, was := range g.charges {
			if c.same(was) && isMoney(c.limit.asset) {
				c.Units -= min(c.Units, was.Units)
			}
		}
		if c.Units > 0 {
			due = append(due, c)
		}
	}
	return due, false
}

// charge remembers a job, and returns what it is to be charged.
func (m *memory) charge(ask *Ask, d *Decision) (due []Charge, again bool) {
	if due, again = m.due(ask, d.Payments, d.Charges); again {
		return nil, true
	}
	g, _ := m.replaces(ask, d.Payments)
	switch {
	case g != nil:
		g.raise(d.Charges)
	case ask.Intent.Kind == intent.PSBT && len(d.Charges) > 0:
		g = &group{groupID(ask.Intent, d.Payments), slices.Clone(d.Charges)}
	}
	c := &charged{key: jobKey{ask.Client, ask.Job}, group: g}
	m.digests[ask.Digest], m.jobs[c.key] = c, c
	if len(m.order) < maxJobs {
		m.order = append(m.order, ask.Digest)
		return due, false
	}
	m.forget(m.order[m.oldest])
	m.order[m.oldest] = ask.Digest
	m.oldest = (m.oldest + 1) % maxJobs
	return due, false
}

// raise makes the charges of a group those of its dearest job.
func (g *group) raise(charges []Charge) {
	for _, c := range charges {
		i := slices.IndexFunc(g.charges, c.same)
		if i < 0 {
			g.charges = append(g.charges, c)
		} else {
			g.charges[i].Units = max(g.charges[i].Units, c.Units)
		}
	}
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
