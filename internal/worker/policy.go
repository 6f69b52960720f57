package worker

import (
	"slices"

	"github.com/frostfleet/frostfleet/internal/audit"
	tree "github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// rules is the policy in force, at all members of the process.
type rules struct {
	file    *policy.Policy // as it was read
	known   []string       // of the fleet's keys that it names: those whose addresses are known
	inForce *policy.Policy // the file's, with these keys
}

// SetPolicy puts another policy in force, in a process that started with one.
func (w *Worker) SetPolicy(p *policy.Policy) error {
	w.ruling.Lock()
	defer w.ruling.Unlock()
	return w.setPolicy(p)
}

func (w *Worker) setPolicy(p *policy.Policy) error {
	r, err := w.withKeys(p)
	if err != nil {
		return err
	}
	if before := w.rules.Swap(r); before == nil || before.file.Hash() != p.Hash() {
		w.audit.Append(audit.Record{Event: audit.EventPolicy, Policy: hashText(p.Hash())})
	}
	for _, m := range w.all() {
		m.stopDepartures()
		m.run.Step(protocol.PolicyChanged{Policy: r.inForce})
	}
	return nil
}

// PolicyHash names the policy in force; zero: none is.
func (w *Worker) PolicyHash() [32]byte {
	if r := w.rules.Load(); r != nil {
		return r.file.Hash()
	}
	return [32]byte{}
}

// withKeys tells a policy the keys of the fleet that it names, as far as this process has
// them.
func (w *Worker) withKeys(p *policy.Policy) (_ *rules, err error) {
	keys, r := map[string]tree.Key{}, &rules{file: p}
	for _, id := range p.FleetKeys() {
		if key, ok := w.publicKey(id); ok {
			keys[id], r.known = key, append(r.known, id)
		}
	}
	r.inForce, err = p.WithKeys(keys)
	return r, err
}

// publicKey is a key that some member has and all nodes certified, as the root of its
// children: it is the same in all generations.
func (w *Worker) publicKey(id string) (tree.Key, bool) {
	for _, m := range w.all() {
		if key, ok := m.publicKey(id); ok {
			return key, true
		}
	}
	return tree.Key{}, false
}

func (m *member) publicKey(id string) (tree.Key, bool) {
	parsed, err := wire.ParseKeyID(id)
	if err != nil {
		return tree.Key{}, false
	}
	k, err := m.store.Key(parsed.Batch, parsed.Index)
	if err != nil {
		return tree.Key{}, false
	}
	k.Share.Wipe()
	return tree.Key{
		Suite: k.Suite, PublicKey: k.PublicKey, ChainCode: wire.ChainCode(k.MadeBy, parsed.Index),
	}, k.Complete
}

// lookForKeys tells the policy of keys that it names, and that were not there before. No
// other policy comes in between: this one would be put in its place.
func (w *Worker) lookForKeys() {
	w.ruling.Lock()
	defer w.ruling.Unlock()
	r := w.rules.Load()
	if r == nil || len(r.known) == len(r.file.FleetKeys()) {
		return
	}
	for _, id := range r.file.FleetKeys() {
		if slices.Contains(r.known, id) {
			continue
		}
		if _, ok := w.publicKey(id); ok {
			if err := w.setPolicy(r.file); err != nil {
				w.log.Error("the policy's own keys", "err", err)
			}
			return
		}
	}
}
