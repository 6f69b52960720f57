package sim

import (
	"slices"

	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// In half of the worlds the nodes have policies. As many as the others can do without, a
// liar included, deny all that clients ask to have signed. The others count it, and have
// so large a limit that only the ledger is put to the test: its states, crashes between
// them, and shares that wait for them.
//
// What has policies follows from the seed and draws nothing, so that worlds are those that
// they were.

const (
	denying = `version = 1
[[rule]]
name = "nothing"
clients = ["*"]
keys = ["*"]
kinds = ["bitcoin_message"]
`
	counting = `version = 1
[[rule]]
name = "much"
clients = ["*"]
keys = ["*"]
kinds = ["raw"]
[[rule.limit]]
amount = "320 signatures"
per = "day"
`
)

// policed reports whether the world's nodes have policies.
func (w *world) policed() bool { return w.seed%2 == 1 }

// denies reports whether a node denies all jobs.
func (m *machine) denies() bool {
	spare := m.manifest.N - m.manifest.T - 1
	return m.w.policed() && m.index < spare && !m.isLiar()
}

// govern gives a process its policy, and the ledger that its disk has.
func (p *worker) govern(cfg *protocol.NodeConfig) {
	if !p.w.policed() {
		return
	}
	text := counting
	if p.m.denies() {
		text = denying
	}
	var err error
	if cfg.Policy, err = policy.Parse([]byte(text), "regtest"); err != nil {
		panic(err)
	}
	var save policy.Save
	if p.disk.ledger == nil {
		cfg.Ledger, save = policy.NewLedger(cfg.Policy, p.m.clock())
	} else if cfg.Ledger, save, err = policy.OpenLedger(cfg.Policy, p.disk.ledger, p.m.clock()); err != nil {
		p.w.fail(RulePolicy, "%s can't read the ledger that this node stored: %v", p.name, err)
		return
	}
	p.disk.ledger = save.Encode()
	cfg.Ledger.Saved(save.Seq)
}

// save stores a state of the ledger, in its own time.
func (p *worker) save(e protocol.SaveLedger) {
	p.w.at(p.w.lag(), func() {
		if p.alive {
			p.disk.ledger = slices.Clone(e.Encode())
			p.w.check.saves++
			p.step(protocol.LedgerSaved{Seq: e.Seq})
		}
	})
}

// allowed checks that nothing of a signature leaves a node that denies it.
func (c *checker) allowed(p *worker, slot wire.Slot) {
	if p.m.denies() && (slot.Kind == wire.SlotCommit || slot.Kind == wire.SlotShare) {
		c.w.fail(RulePolicy, "%s denies all jobs, and published %s", p.name, slot)
	}
	if p.m.denies() && slot.Kind == wire.SlotRefuse {
		c.denials++
	}
}
