package sim

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Administrators who freeze and unfreeze, and others who try.

// quorum is how many of three administrators unfreeze.
const quorum = 2

// council are the administrators, and the freezes that they made.
type council struct {
	w     *world
	names []string
	keys  map[string]ed25519.PrivateKey
	made  [][]byte // statements to freeze
	said  []wire.LogMessage
}

func newCouncil(w *world) *council {
	c := &council{w: w, keys: map[string]ed25519.PrivateKey{}}
	for i := range 3 {
		var seed [32]byte
		w.bytes(seed[:])
		name := fmt.Sprintf("a%d", i)
		c.names = append(c.names, name)
		c.keys[name] = ed25519.NewKeyFromSeed(seed[:])
	}
	return c
}

func (c *council) list(a *wire.Access) *wire.Access {
	var all []wire.Administrator
	for _, name := range c.names {
		all = append(all, wire.Administrator{Name: name, Key: c.keys[name].Public().(ed25519.PublicKey)})
	}
	a, err := a.WithAdministrators(all, quorum)
	if err != nil {
		panic(err)
	}
	return a
}

func (c *council) statement(s wire.FreezeStatement) []byte {
	s.Reason, s.Time = "why", c.w.now().Unix()
	c.w.bytes(s.Nonce[:])
	return wire.Encode(&s)
}

// say has an administrator say a statement, signed with a key.
func (c *council) say(name string, key ed25519.PrivateKey, statement []byte) {
	data := wire.FreezeMessage(statement, wire.SignFreeze(key, c.w.manifest, name, statement))
	m := wire.LogMessage{Subject: wire.ControlSubject(name), Data: data}
	c.said = append(c.said, m)
	c.w.tracef("%s -> %s", name, m.Subject)
	c.w.bus.control.put(m.Subject, data, -1)
}

// target draws what to freeze.
func (c *council) target() wire.FreezeStatement {
	w := c.w
	s := wire.FreezeStatement{Action: wire.ActionFreeze, Scope: wire.FreezeFleet}
	switch who := w.clients[w.rng.IntN(len(w.clients))]; w.rng.IntN(5) {
	case 0, 1:
		s.Scope, s.Name = wire.FreezeClient, who.name
	case 2, 3:
		if len(who.keys) > 0 {
			s.Scope, s.Name = wire.FreezeKey, who.keys[w.rng.IntN(len(who.keys))].id.String()
		}
	}
	return s
}

func (c *council) freeze(by string) {
	s := c.statement(c.target())
	c.made = append(c.made, s)
	c.say(by, c.keys[by], s)
}

// lift has so many administrators vote to lift freezes, at different times.
func (c *council) lift(voters int, freezes [][]byte) {
	s := wire.FreezeStatement{Action: wire.ActionUnfreeze}
	for _, f := range freezes {
		s.Lifts = append(s.Lifts, wire.FreezeID(c.w.manifest, f))
	}
	raw := c.statement(s)
	for _, i := range c.w.rng.Perm(len(c.names))[:voters] {
		c.w.at(c.w.between(0, 2*time.Second), func() { c.say(c.names[i], c.keys[c.names[i]], raw) })
	}
}

// trouble is what happens within a second.
func (c *council) trouble() {
	w := c.w
	any := c.names[w.rng.IntN(len(c.names))]
	if w.fault(AdminFreezes) {
		c.freeze(any)
	}
	if len(c.made) > 0 && w.fault(AdminsLift) {
		c.lift(quorum, [][]byte{c.made[w.rng.IntN(len(c.made))]})
	}
	if len(c.made) > 0 && w.fault(AdminAlone) {
		c.lift(quorum-1, c.made[len(c.made)-1:])
	}
	if len(c.said) > 0 && w.fault(ControlReplayed) {
		m := c.said[w.rng.IntN(len(c.said))]
		w.bus.control.put(m.Subject, m.Data, -1)
	}
	if w.fault(ControlForged) {
		forger := w.clients[0].key
		c.say(any, forger, c.statement(c.target()))
		if len(c.made) > 0 {
			lift := wire.FreezeStatement{Action: wire.ActionUnfreeze, Lifts: [][32]byte{wire.FreezeID(w.manifest, c.made[0])}}
			raw := c.statement(lift)
			for _, name := range c.names {
				c.say(name, forger, raw)
			}
		}
	}
	if w.fault(AdminFloods) {
		for range 30 {
			c.freeze(any)
		}
	}
	if w.fault(ControlLost) {
		w.bus.control.lose()
	}
}

// thaw lifts all that was ever frozen.
func (c *council) thaw() {
	for part := range slices.Chunk(c.made, wire.MaxLifts) {
		c.lift(quorum, part)
	}
}

// ledger is what a process was told by administrators, counted apart from the program.
type ledger struct {
	frozen map[[32]byte]wire.FreezeStatement
	lifted map[[32]byte]bool
	votes  map[[32]byte]map[string]bool
}

func newLedger() *ledger {
	return &ledger{map[[32]byte]wire.FreezeStatement{}, map[[32]byte]bool{}, map[[32]byte]map[string]bool{}}
}

// durable is what a disk keeps of it.
func (l *ledger) durable() *ledger {
	return &ledger{maps.Clone(l.frozen), maps.Clone(l.lifted), map[[32]byte]map[string]bool{}}
}

// hear takes a message.
func (l *ledger) hear(w *world, m wire.LogMessage) {
	name, err := wire.ParseControl(m.Subject)
	var msg struct {
		Version   uint32 `cbor:"1,keyasint"`
		Statement []byte `cbor:"2,keyasint"`
		Signature []byte `cbor:"3,keyasint"`
	}
	if err != nil || wire.Decode(m.Data, wire.MaxFreeze, &msg) != nil || w.council.keys[name] == nil {
		return
	}
	key := w.council.keys[name].Public().(ed25519.PublicKey)
	if !ed25519.Verify(key, wire.FreezeSigningInput(w.manifest, name, msg.Statement), msg.Signature) {
		return
	}
	var s wire.FreezeStatement
	if wire.Decode(msg.Statement, wire.MaxFreeze, &s) != nil {
		return
	}
	id := wire.FreezeID(w.manifest, msg.Statement)
	if s.Action == wire.ActionFreeze {
		l.frozen[id] = s
		return
	}
	if l.votes[id] == nil {
		l.votes[id] = map[string]bool{}
	}
	if l.votes[id][name] = true; len(l.votes[id]) >= quorum {
		for _, lifted := range s.Lifts {
			l.lifted[lifted] = true
		}
	}
}

// stops says whether a session must not go on.
func (l *ledger) stops(s signedFor) bool {
	for id, f := range l.frozen {
		switch {
		case l.lifted[id]:
		case f.Scope == wire.FreezeFleet, f.Scope == wire.FreezeClient && f.Name == s.client,
			f.Scope == wire.FreezeKey && slices.Contains(s.keys, f.Name):
			return true
		}
	}
	return false
}

// signedFor is what a session signs for.
type signedFor struct {
	client string
	keys   []string
}

// task notes what the session of a task is for.
func (c *checker) task(body []byte) {
	task, err := wire.DecodeTask(body, c.w.widest())
	if err != nil || task.Job.Kind != wire.KindSign {
		return
	}
	var job wire.Job
	if json.Unmarshal(task.Job.Payload, &job) != nil {
		return
	}
	s := signedFor{client: task.Job.Client}
	for _, i := range task.Items {
		s.keys = append(s.keys, job.Items[i].Key)
	}
	for _, m := range c.w.manifests {
		if task.Of(m) {
			c.sessions[wire.ShortID(task.Session(m))] = s
		}
	}
}

// leaves checks a message of an honest process that leaves it now.
func (c *checker) leaves(p *worker, slot wire.Slot) {
	if slot.Kind != wire.SlotCommit && slot.Kind != wire.SlotShare {
		return
	}
	if s, known := c.sessions[slot.ID]; known && p.heard.stops(s) {
		c.w.fail(RuleFrozen, "%s publishes a %s of session %s for client %s, which it was told is frozen", p.name, slot.Kind,
			slot.ID[:8], s.client)
	}
}

// obey begins with what the disk and CONTROL have, and follows CONTROL from there.
func (p *worker) obey() {
	p.heard = newLedger()
	if p.disk.heard != nil {
		p.heard = p.disk.heard.durable()
	}
	control := p.w.bus.control
	for _, m := range control.msgs {
		p.control(m)
	}
	control.follow(&follower{who: p.name, alive: p.up, deliver: p.control}, uint64(len(control.msgs)))
}

func (p *worker) control(m wire.LogMessage) {
	p.heard.hear(p.w, m)
	p.step(protocol.ControlMessage{LogMessage: m})
}

// keepFreezes is what a node's disk has of freezes from here on.
func (p *worker) keepFreezes() {
	p.disk.freezes, p.disk.heard = p.node.KeptFreezes(), p.heard.durable()
}

// book is the disk's.
func (d *disk) book(m *wire.Manifest) *wire.FreezeBook {
	if d.freezes == nil {
		return nil
	}
	b, err := wire.OpenKeptFreezes(m, d.freezes)
	if err != nil {
		panic(err)
	}
	return b
}
