package protocol

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// actor is a worker's machine with what its program does at once: computing,
// storing, loading. What it wants published waits in out.
type actor struct {
	*Node
	f       *fleet
	store   map[string]*BatchRecord
	done    map[string]bool
	hold    bool // keep computations in held
	held    []Compute
	out     []wish
	reports []Report
	timers  []Timer
	fetch   []string
	failing error           // of Certify
	mute    []wire.SlotKind // what drain does not publish
	said    *said

	refusedIDs []string // in the keystore

	loaded func([]LoadedKey) // is told what the machine gets

	rules    *policy.Policy
	ledger   *policy.Ledger
	saves    []SaveLedger
	slowDisk bool   // what is saved is not on the disk yet
	freezes  []byte // on the disk

	reads  bool     // what it wants read again is
	dealt  []string // to whom Dealt says that it has, before the deals in out
	moved  []string // what MarkMoved notes
	locked bool     // the keystore does not answer LoadShares
	asked  []LoadShares
}

// said is what a node's HSM and nonces were used for, over all its lives.
type said struct {
	transcripts map[string][32]byte // by batch: what was certified
	points      map[string]string   // by session: the last public nonces
	shares      map[string][]byte   // by public nonces: the share made with them
}

// wish is a Publish with its body made.
type wish struct {
	slot wire.Slot
	body []byte
}

func (f *fleet) newActor(i int) *actor {
	a := &actor{f: f, store: map[string]*BatchRecord{}, done: map[string]bool{},
		said: &said{map[string][32]byte{}, map[string]string{}, map[string][]byte{}}}
	a.Node = a.newNode(i, nil)
	return a
}

func (a *actor) newNode(i int, known map[wire.BatchRef]KnownBatch) *Node {
	var freezes *wire.FreezeBook
	if a.freezes != nil {
		freezes = must(wire.OpenKeptFreezes(a.f.m, a.freezes))
	}
	return NewNode(NodeConfig{
		Freezes: freezes, Lineage: a.f.lineage, Successor: a.f.successor,
		Manifest: a.f.m, Access: a.f.access, Index: i, Rand: rand.Reader, StandbyDelay: time.Second, Known: known, Refused: a.refusedIDs,
		Host: secret.New(slices.Clone(a.f.host[i][:])), SeedSecret: secret.New(make([]byte, 32)),
		Policy: a.rules, Ledger: a.ledger, Each: a.f.divide,
	})
}

// restart forgets what the process had in memory: the store stays, and the
// logs are read again, KEYS and SIGN before WORK.
func (a *actor) restart() {
	known := map[wire.BatchRef]KnownBatch{}
	for id, r := range a.store {
		known[r.Ref()] = KnownBatch{
			Transcript: r.Transcript, MadeBy: r.MadeBy, Complete: a.done[id], Moved: slices.Contains(a.moved, r.ID),
		}
	}
	a.Node = a.newNode(a.cfg.Index, known)
	a.out, a.held, a.timers = nil, nil, nil
	for id, r := range a.store {
		if !a.done[id] {
			a.do(r.again(a.cfg.Index))
		}
	}
	a.replay()
}

// again has a node say again what it certified.
func (r *BatchRecord) again(node int) Recertify {
	e := Recertify{Batch: r.Ref(), Context: r.Context, Transcript: r.Transcript, MadeBy: r.MadeBy, Root: r.Root}
	if r.Generation == 0 {
		e.Deal = r.Deals[node]
	}
	return e
}

func (a *actor) replay() {
	a.f.show(a)
	for _, m := range a.f.sign {
		a.do(SignMessage{LogMessage: m})
	}
	for _, m := range a.f.work {
		a.do(TaskMessage{m, a.f.now})
	}
}

func (a *actor) name() string { return fmt.Sprintf("node %d", a.cfg.Index) }

func (a *actor) do(ev Event) { a.perform(a.f.step(a.name(), ev, a.Step)) }

func (a *actor) perform(effects []Effect) {
	for _, effect := range effects {
		switch e := effect.(type) {
		case Compute:
			if a.hold {
				a.held = append(a.held, e)
			} else {
				a.do(a.ran(e))
			}
		case Publish:
			a.publish(e)
		case Certify:
			if a.failing != nil {
				a.do(CertifyFailed{Batch: e.Record.Ref(), Code: wire.CodeInternal, Err: a.failing})
				continue
			}
			a.store[keptAs(e.Record.Ref())] = e.Record
			a.publish(e.Publish)
		case Complete:
			a.done[keptAs(e.Batch)] = true
		case StoreRecovered:
			a.store[keptAs(e.Record.Ref())], a.done[keptAs(e.Record.Ref())] = e.Record, true
		case RefuseBatch:
			a.refusedIDs = append(a.refusedIDs, e.ID)
		case SaveLedger:
			a.saves = append(a.saves, e)
			if !a.slowDisk {
				a.do(LedgerSaved{e.Seq})
			}
		case Load:
			keys := a.load(e.Keys)
			if e.Public {
				keys = publicParts(keys)
			}
			if a.loaded != nil {
				a.loaded(slices.Clone(keys))
			}
			a.do(Loaded{ID: e.ID, Keys: keys})
		case Refetch:
			a.fetch = append(a.fetch, e.ID)
			a.readAgain(e)
		case LoadShares:
			if a.asked = append(a.asked, e); !a.locked {
				a.do(SharesLoaded{ID: e.ID, Shares: a.shares(e.Batch)})
			}
		case Dealt:
			a.dealt = append(a.dealt, fmt.Sprintf("%x", e.Next[:4]))
		case MarkMoved:
			a.moved = append(a.moved, e.ID)
		case FreezesChanged:
			a.freezes = a.KeptFreezes()
		case After:
			a.timers = append(a.timers, e.Timer)
		case Report:
			a.reports = append(a.reports, e)
		default:
			a.f.t.Fatalf("node %d wants %T", a.cfg.Index, e)
		}
	}
}

// keptAs is under what a test finds a generation of a batch.
func keptAs(ref wire.BatchRef) string {
	if ref.Generation == 0 {
		return ref.ID
	}
	return fmt.Sprintf("%s/%d", ref.ID, ref.Generation)
}

// shares are a copy of those that the node has of a batch, nil if it has none.
func (a *actor) shares(ref wire.BatchRef) *secret.Bytes {
	r := a.store[keptAs(ref)]
	if r == nil || !a.done[keptAs(ref)] {
		return nil
	}
	return secret.New(slices.Clone(r.Batch.Shares.Expose()))
}

// readAgain does what a program does for Refetch, if the test wants that.
func (a *actor) readAgain(e Refetch) {
	log, again := a.f.dkg, func(m wire.LogMessage) Event { return RoundsAgain{m} }
	if e.Register {
		log, again = a.f.keys, func(m wire.LogMessage) Event { return ReadKeysAgain(a.f.known(), m) }
	}
	for _, m := range log {
		if a.reads && strings.Contains(m.Subject, e.ID) {
			a.do(again(m))
		}
	}
}

func (a *actor) publish(e Publish) {
	body := e.Body
	if e.Leaf != nil {
		body = e.With(a.f.attestOne(a.cfg.Index, *e.Leaf))
	}
	a.out = append(a.out, wish{e.Slot, body})
	a.watch(e.Slot, body)
}

// watch ends the test when a node certifies a second transcript of a batch,
// or makes two shares with one pair of nonces (N3), whatever led to it.
func (a *actor) watch(slot wire.Slot, body []byte) {
	switch slot.Kind {
	case wire.SlotCert:
		c := must(wire.DecodeCertificate(body, a.cfg.Manifest, a.cfg.Index, 0))
		if was, ok := a.said.transcripts[slot.ID]; ok && was != c.Transcript {
			a.f.t.Fatalf("node %d certified two transcripts of batch %s", a.cfg.Index, slot.ID)
		}
		a.said.transcripts[slot.ID] = c.Transcript
	case wire.SlotReshareCert:
		c := must(wire.DecodeReshareCertificate(body, a.cfg.Manifest, a.cfg.Index))
		if was, ok := a.said.transcripts[slot.ID]; ok && was != c.Transcript {
			a.f.t.Fatalf("node %d certified two transcripts of resharing %s", a.cfg.Index, slot.ID)
		}
		a.said.transcripts[slot.ID] = c.Transcript
	case wire.SlotCommit:
		var c wire.CommitBody
		must(0, wire.Decode(body, wire.MaxMessageSize, &c))
		for _, was := range a.said.points {
			if was == string(c.Points) {
				a.f.t.Fatalf("node %d committed twice to the same nonces", a.cfg.Index)
			}
		}
		a.said.points[slot.ID] = string(c.Points)
	case wire.SlotShare:
		points := a.said.points[slot.ID]
		if was, ok := a.said.shares[points]; ok && !bytes.Equal(was, body) {
			a.f.t.Fatalf("node %d made two shares with one pair of nonces", a.cfg.Index)
		}
		a.said.shares[points] = body
	}
}

// fill writes a slot as bus.PublishSlot does.
func (a *actor) fill(w wish) {
	log := a.f.sign
	if !w.slot.Kind.Signing() {
		log = a.f.dkg
	}
	switch a.f.standing(log, w.slot.String(), func(m wire.LogMessage) wire.Verdict { return a.Judge(w.slot, m, w.body) }) {
	case wire.Junk:
		var data []byte
		a.f.aside(a.name(), "seal", func() { data = a.f.sessions[a.cfg.Index].Seal(a.cfg.Manifest, w.slot.String(), w.body) })
		a.do(Sealed{w.slot, data})
		a.f.post(w.slot.String(), data)
	case wire.Other:
		a.do(SlotLost{w.slot})
	}
}

// compute runs what was held, in order.
func (a *actor) compute() {
	held := a.held
	a.held = nil
	for _, c := range held {
		a.do(a.ran(c))
	}
}

// ran runs a computation, or what goes in its place when it is too late.
func (a *actor) ran(c Compute) Event {
	if !c.Until.IsZero() && a.f.now.After(c.Until) {
		return c.Late()
	}
	return a.f.compute(a.name(), c)
}

// newest is the record of the highest generation that is complete.
func (a *actor) newest(batch string) (newest *BatchRecord) {
	for key, r := range a.store {
		if r.ID == batch && a.done[key] && (newest == nil || r.Generation > newest.Generation) {
			newest = r
		}
	}
	return newest
}

func (a *actor) load(ids []wire.KeyID) []LoadedKey {
	keys := make([]LoadedKey, len(ids))
	for i, id := range ids {
		r := a.newest(id.Batch)
		if r == nil || id.Index >= int(r.Header.K) {
			continue
		}
		suite := frost.Suite(r.Header.Suite)
		size := a.cfg.Manifest.T * suite.PointSize()
		keys[i] = LoadedKey{Owner: r.Header.Client, MadeBy: r.MadeBy, Key: &frost.Key{
			Suite: suite, N: a.cfg.Manifest.N, T: a.cfg.Manifest.T, Index: a.cfg.Index,
			PublicKey:     r.Batch.PublicKeys[id.Index],
			VSSCommitment: r.Batch.Commitments[id.Index*size:][:size],
			Share:         secret.New(slices.Clone(r.Batch.Shares.Expose()[id.Index*32:][:32])),
		}}
	}
	return keys
}

// publicParts is what Load.Public asks for of keys.
func publicParts(keys []LoadedKey) []LoadedKey {
	for i, k := range keys {
		if k.Key != nil {
			k.Key.Share.Wipe()
			k.Key, k.Public = &frost.Key{Suite: k.Key.Suite, PublicKey: k.Key.PublicKey}, true
			keys[i] = k
		}
	}
	return keys
}

// want returns the only message of a kind that the node wants published.
func (a *actor) want(kind wire.SlotKind) wish {
	a.f.t.Helper()
	var found []wish
	for _, w := range a.out {
		if w.slot.Kind == kind {
			found = append(found, w)
		}
	}
	if len(found) != 1 {
		a.f.t.Fatalf(
			"node %d wants to publish %d %s messages, want one; reports: %v",
			a.cfg.Index,
			len(found),
			kind,
			a.reports,
		)
	}
	return found[0]
}

func (a *actor) reported(what ReportKind) (last Report, count int) {
	for _, r := range a.reports {
		if r.What == what {
			last = r
			count++
		}
	}
	return last, count
}

func (a *actor) expect(what ReportKind) Report {
	a.f.t.Helper()
	r, count := a.reported(what)
	if count == 0 {
		a.f.t.Fatalf("node %d: no report %q among %v", a.cfg.Index, what, a.reports)
	}
	return r
}

// culpritOf is the node that a complaint blames, -1 if it blames nobody.
func culpritOf(c *wire.Complaint) int {
	if c.Culprit == nil {
		return -1
	}
	return int(*c.Culprit)
}
