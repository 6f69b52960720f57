package protocol

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// changing is a gateway whose fleet changes, with the nodes of both manifests as puppets: they
// do what the protocol says, or what the test says.
type changing struct {
	*desk
	t       *testing.T
	of      []*fleet // keys of each manifest's nodes, oldest first
	lineage *wire.Lineage
	log     []wire.LogMessage                          // WORK and all rounds and KEYS
	batches map[string]map[int]map[uint32]*frost.Batch // by id, node (100 of each epoch) and generation
	ids     []string

	mute     map[int]bool                                    // dealers that do not deal
	absent   map[int]bool                                    // new nodes that say nothing
	spoil    func(node int, d *frost.ReshareDeal)            // dealers that lie
	certify  func(node int, c *wire.Certificate)             // new nodes that lie
	complain func(node int, r *wire.Reshare) *wire.Complaint // new nodes that complain, instead
	refuse   func(v, node int) wire.Code                     // signers that refuse
	regret   func(v, node int) wire.Code                     // signers that commit and refuse then
	losing   bool                                            // KEYS does not take what is written
	deals    map[[32]byte]map[int][][]byte
	answered map[string]bool
	beats    map[string]uint64
	seq      uint64
}

// successor draws the keys of a manifest that follows another. Its nodes read the same log.
func successor(t testing.TB, before *fleet, threshold, n int) *fleet {
	f := newFleet(t, threshold, n, func(m *wire.Manifest) {
		previous, genesis := before.m.Hash(), before.m.FleetID()
		m.Version, m.Epoch, m.Previous, m.Genesis = wire.SuccessorVersion, before.m.Epoch+1, previous[:], genesis[:]
	})
	f.clients, f.gateway, f.access, f.now = before.clients, before.gateway, before.access, before.now
	f.dkg, f.keys, f.work = slices.Clone(before.dkg), slices.Clone(before.keys), slices.Clone(before.work)
	return f
}

// approval is the word of a node's device.
func (f *fleet) approval(node int, next [32]byte, forced bool) wire.SuccessorApproval {
	a := wire.SuccessorApproval{Node: uint32(node), Next: next, Forced: forced}
	a.Attestation = f.attestOne(node, a.Leaf(f.m))
	return a
}

// succession is a manifest that nodes approved.
func (f *fleet) succession(next *wire.Manifest, forced bool, nodes ...int) []byte {
	s := wire.Succession{Version: wire.SuccessionVersion, Manifest: mustJSON(next)}
	for _, i := range nodes {
		s.Approvals = append(s.Approvals, f.approval(i, next.Hash(), forced))
	}
	return wire.Encode(&s)
}

// newChanging is a 2-of-4 fleet with three batches of alice's, and a manifest that follows.
func newChanging(t *testing.T, threshold, n int) *changing {
	f := agedFleet(t)
	for _, a := range f.nodes { // what all tests share stays what it is
		a.store, a.done = maps.Clone(a.store), maps.Clone(a.done)
	}
	f.desk.arrive(f.keygen(50, "alice", "bitcoin", 2), nil)
	f.drain()
	second := f.desk.result().Batches[0].ID
	c := &changing{
		t: t, of: []*fleet{f.fleet, successor(t, f.fleet, threshold, n)}, batches: map[string]map[int]map[uint32]*frost.Batch{},
		ids: []string{f.btc, second, f.sol, f.bob},
	}
	slices.Sort(c.ids)
	for i, a := range f.nodes {
		for _, r := range a.store {
			c.keep(r.ID, i, 0, r.Batch)
		}
	}
	c.lineage = must(wire.NewLineage(f.m).WithSuccession(f.succession(c.next().m, false, 0, 1, 2)))
	c.log = append(slices.Clone(f.dkg), f.keys...)
	c.behave()
	c.life()
	return c
}

// behave makes everybody honest.
func (c *changing) behave() {
	c.mute, c.absent, c.spoil, c.certify, c.complain, c.refuse = map[int]bool{}, map[int]bool{}, nil, nil, nil, nil
	c.deals, c.answered, c.beats = map[[32]byte]map[int][][]byte{}, map[string]bool{}, map[string]uint64{}
}

func (c *changing) old() *fleet  { return c.of[0] }
func (c *changing) next() *fleet { return c.of[len(c.of)-1] }

func (c *changing) keep(id string, node int, generation uint32, b *frost.Batch) {
	if c.batches[id] == nil {
		c.batches[id] = map[int]map[uint32]*frost.Batch{}
	}
	if c.batches[id][node] == nil {
		c.batches[id][node] = map[uint32]*frost.Batch{}
	}
	c.batches[id][node][generation] = b
}

// life is a gateway that starts and reads the log.
func (c *changing) life() {
	f := c.old()
	c.desk = f.newDesk()
	f.desk = c.desk
	c.desk.do(Tick{f.now})
	c.desk.do(LineageChanged{c.lineage})
	c.quiet()
	c.answered = map[string]bool{}
	for _, m := range c.log {
		c.show(m)
	}
}

// quiet has nobody compare.
func (c *changing) quiet() {
	for _, r := range c.desk.directory.reconcilers {
		r.started = true
		for _, p := range r.peers {
			p.settled, p.next = true, c.old().now.AddDate(1, 0, 0)
		}
	}
}

func (c *changing) show(m wire.LogMessage) {
	switch family, _, _ := strings.Cut(m.Subject, "."); family {
	case "work", "move":
		c.desk.do(TaskMessage{m, c.old().now})
	case "entry":
		c.desk.do(ReadKeys(c.lineage, m))
	case "sign":
		c.desk.do(SignMessage{m, c.old().now})
	default:
		c.desk.do(RoundsMessage{m})
	}
}

func (c *changing) post(subject string, data []byte) {
	m := wire.LogMessage{Subject: subject, Seq: uint64(len(c.log) + 1), Time: c.old().now, Data: data}
	c.log = append(c.log, m)
	c.show(m)
}

func (c *changing) standing(subject string) bool {
	return slices.ContainsFunc(c.log, func(m wire.LogMessage) bool { return m.Subject == subject })
}

// run has the puppets answer tasks, and KEYS take entries, until nothing happens any more.
func (c *changing) run() {
	for busy := true; busy; {
		busy = false
		for len(c.desk.tasks) > 0 {
			p := c.desk.tasks[0]
			c.desk.tasks = c.desk.tasks[1:]
			busy = true
			if !c.standing(p.Subject) {
				c.task(p, "gw")
			}
		}
		for len(c.desk.writes) > 0 && !c.losing {
			e := c.desk.writes[0]
			c.desk.writes = c.desk.writes[1:]
			busy = true
			c.write(e)
			c.desk.do(e.done())
		}
	}
}

// task publishes a task, and lets the nodes answer that it is for.
func (c *changing) task(p PublishTask, gateway string) {
	f := c.old()
	c.post(p.Subject, wire.SealGateway(f.gateway, gateway, f.m, p.Subject, p.Body))
	if wire.IsReshareTask(p.Subject) {
		c.answer(must(wire.DecodeReshare(p.Body)))
		return
	}
	task := must(wire.DecodeTask(p.Body, f.m))
	for v, g := range c.of {
		if task.Of(g.m) && task.Job.Kind == wire.KindSign {
			c.sign(v, task)
		}
	}
}

func (c *changing) write(e WriteEntry) {
	entry := must(wire.VerifyEntry(e.Head, c.lineage))
	equal(c.t, "generation that is written", e.Generation, entry.Generation)
	c.post(wire.EntryHeadSubject(e.ID, e.Generation), e.Head)
	for i, d := range e.Deals {
		c.post(wire.EntryDealSubject(e.ID, e.Generation, i), d)
	}
}

// tick lets seconds pass.
func (c *changing) tick(seconds int) {
	for range seconds {
		for _, f := range c.of {
			f.now = f.now.Add(time.Second)
		}
		c.desk.do(Tick{c.old().now})
		c.run()
	}
}

// start has keys move to the newest manifest.
func (c *changing) start() {
	hash := c.next().m.Hash()
	c.desk.do(PaceChanged{&wire.Pace{Version: wire.PaceVersion, Manifest: hash[:], Run: true}})
	c.run()
}

// prepare is start, up to where the first tasks wait to be published.
func (c *changing) prepare() (first *wire.Reshare) {
	hash := c.next().m.Hash()
	c.desk.do(PaceChanged{&wire.Pace{Version: wire.PaceVersion, Manifest: hash[:], Run: true}})
	return must(wire.DecodeReshare(c.desk.tasks[0].Body))
}

func (c *changing) pause() {
	hash := c.next().m.Hash()
	c.desk.do(PaceChanged{&wire.Pace{Version: wire.PaceVersion, Manifest: hash[:]}})
	c.run()
}

// answer is what the nodes of a resharing say.
func (c *changing) answer(r *wire.Reshare) {
	if c.answered[r.ID()] {
		return
	}
	c.answered[r.ID()] = true
	source, next := c.manifest(r.Source), c.manifest(r.Manifest)
	from := 100 * source.m.Epoch
	for _, d := range r.Dealers {
		node := int(d)
		if c.mute[node] {
			continue
		}
		shares := c.batches[r.BatchID()][from+node][r.From].Shares.Expose()
		if c.deals[r.Context()] == nil {
			c.deals[r.Context()] = map[int][][]byte{}
		}
		for i, s := range r.Slices() {
			seed := [32]byte{}
			must(rand.Read(seed[:]))
			part := secret.New(slices.Clone(shares[32*s.First : 32*s.End]))
			deal := must(frost.NewReshareDeal(r.Params(s, source.m, next.m), node, part, &seed))
			if c.spoil != nil {
				c.spoil(node, deal)
			}
			body := wire.EncodeReshareDeal(r, i, deal)
			c.deals[r.Context()][node] = append(c.deals[r.Context()][node], body)
			slot := wire.Slot{Kind: wire.SlotReshareDeal, ID: s.ID(), Node: node}.String()
			c.post(slot, source.sessions[node].Seal(source.m, slot, body))
		}
	}
	if len(c.deals[r.Context()]) < len(r.Dealers) {
		return
	}
	for node := range next.m.N {
		if !c.absent[node] {
			c.accept(r, node)
		}
	}
}

func (c *changing) manifest(hash [32]byte) *fleet {
	for _, f := range c.of {
		if f.m.Hash() == hash {
			return f
		}
	}
	c.t.Fatalf("no manifest %x", hash[:4])
	return nil
}

// accept is what a new node says of the deals.
func (c *changing) accept(r *wire.Reshare, node int) {
	source, next := c.manifest(r.Source), c.manifest(r.Manifest)
	var raw [][]byte
	for _, d := range r.Dealers {
		raw = append(raw, c.deals[r.Context()][int(d)]...)
	}
	dealt, f := decodeReshareDeals(raw, r, source.m, next.m)
	if f != nil {
		c.t.Fatal(f.reason)
	}
	from := c.batches[r.BatchID()][100*source.m.Epoch+int(r.Dealers[0])][r.From]
	complaint := (*wire.Complaint)(nil)
	if c.complain != nil {
		complaint = c.complain(node, r)
	}
	b, err := eachSlice(dealt, func(s *dealtSlice) (*frost.Batch, error) {
		return frost.FinalizeReshare(s.params, node, &next.host[node], from.Public.Part(s.First, s.End), s.deals)
	})
	var blame *frost.BlameError
	if errors.As(err, &blame) {
		culprit := uint8(blame.Dealer)
		complaint = &wire.Complaint{Code: wire.Code(blame.Code), Reason: "its deal", Culprit: &culprit}
	}
	if complaint != nil {
		complaint.Session = r.Context()
		slot := wire.Slot{Kind: wire.SlotReshareAbort, ID: r.ID(), Node: node}.String()
		c.post(slot, next.sessions[node].Seal(next.m, slot, wire.Encode(complaint)))
		return
	}
	must(0, err)
	c.keep(r.BatchID(), 100*next.m.Epoch+node, r.To, b)
	cert := &wire.Certificate{
		Context: r.Context(), Generation: r.To, Transcript: wire.Transcript(wire.DealDigests(raw)), Node: uint32(node),
		Root: wire.KeyRoot(wire.EntryKeys(from.PublicKeys, r.Header.Client, r.Made)),
	}
	if c.certify != nil {
		c.certify(node, cert)
	}
	cert.Attestation = next.attestOne(node, cert.Leaf(next.m))
	slot := wire.Slot{Kind: wire.SlotReshareCert, ID: r.ID(), Node: node}.String()
	c.post(slot, next.sessions[node].Seal(next.m, slot, wire.Encode(cert)))
}

func both[A, B any](a A, b B, err error) (A, B) {
	must(0, err)
	return a, b
}

// cosigner is one node in a session.
type cosigner struct {
	node   int
	nonces *frost.Nonces
	points []byte
}

// sign is what the nodes of manifest v do in a session.
func (c *changing) sign(v int, task *wire.Task) {
	g := c.of[v]
	job, _ := task.Job.Parse(g.now)
	session := task.Session(g.m)
	id := wire.ShortID(session)
	say := func(kind wire.SlotKind, node int, body any) {
		slot := wire.Slot{Kind: kind, ID: id, Node: node}.String()
		c.post(slot, g.sessions[node].Seal(g.m, slot, wire.Encode(body)))
	}
	var ready []int
	for _, node := range ranking(session, task.Exclude, g.m.N) {
		code := wire.Code("")
		if c.refuse != nil {
			code = c.refuse(v, node)
		}
		if code == "" {
			ready = append(ready, node)
			continue
		}
		say(wire.SlotRefuse, node, &wire.Complaint{Session: session, Code: code, Reason: "so"})
	}
	if len(ready) < g.m.T {
		return
	}
	var set []frost.NonceCommitment
	var all []cosigner
	for _, node := range ready[:g.m.T] {
		var items []frost.Item
		for _, w := range task.Items {
			key := must(wire.ParseKeyID(job.Items[w].Key))
			items = append(items, frost.Item{Key: c.key(v, node, key), Message: job.Items[w].Message})
			items[len(items)-1].Tweak = job.Items[w].Tweak(items[0].Key.Suite)
		}
		nonces, points := both(frost.Commit(rand.Reader, session, frost.Form(task.Form), items))
		all = append(all, cosigner{node, nonces, points})
		set = append(set, frost.NonceCommitment{Index: node, Points: points})
		say(wire.SlotCommit, node, &wire.CommitBody{
			Session: session, Points: points, Attestation: g.attestOne(node, wire.CommitLeaf(g.m, session, node, points)),
		})
	}
	for _, s := range all {
		if c.regret != nil {
			if code := c.regret(v, s.node); code != "" {
				say(wire.SlotRefuse, s.node, &wire.Complaint{Session: session, Code: code, Reason: "so"})
				continue
			}
		}
		say(wire.SlotShare, s.node, &wire.ShareBody{Session: session, Set: wire.SetHash(set), Shares: must(s.nonces.Sign(set))})
	}
}

// key is a node's share of a key in the latest generation that it has.
func (c *changing) key(v, node int, id wire.KeyID) *frost.Key {
	m, latest := c.of[v].m, uint32(0)
	var b *frost.Batch
	for g, have := range c.batches[id.Batch][100*v+node] {
		if b == nil || g > latest {
			b, latest = have, g
		}
	}
	suite := frost.Suite(c.desk.directory.finished[id.Batch].header.Suite)
	size := m.T * suite.PointSize()
	return &frost.Key{
		Suite: suite, N: m.N, T: m.T, Index: node, PublicKey: b.PublicKeys[id.Index],
		VSSCommitment: b.Commitments[id.Index*size:][:size],
		Share:         secret.New(slices.Clone(b.Shares.Expose()[id.Index*32:][:32])),
	}
}

// heard has nodes of a manifest, and gateways, say that they are there.
func (c *changing) heard(v int, approval func(node int) *wire.SuccessorApproval, nodes ...int) {
	g := c.of[v]
	for range 2 { // the first shows nothing
		for _, i := range nodes {
			subject := g.m.NodePresence(i)
			h := wire.Heartbeat{Version: wire.HeartbeatVersion, After: c.beats[subject], Manifest: g.m.Hash()}
			if approval != nil {
				h.Approval = approval(i)
			}
			c.store(subject, g.sessions[i].Seal(g.m, subject, wire.Encode(&h)))
		}
	}
}

func (c *changing) store(subject string, data []byte) {
	c.seq++
	c.beats[subject] = c.seq
	c.desk.do(PresenceMessage{wire.LogMessage{Subject: subject, Seq: c.seq, Time: c.old().now, Data: data}, c.old().now})
}

// generations are those of the batches, in the order of their ids.
func (c *changing) generations() string {
	var all []uint32
	for _, id := range c.ids {
		all = append(all, c.desk.directory.finished[id].Generation)
	}
	return fmt.Sprint(all)
}

// reported are the reports of a kind.
func (d *desk) reported(what ReportKind) (all []Report) {
	for _, r := range d.reports {
		if r.What == what {
			all = append(all, r)
		}
	}
	return all
}

// generate has the nodes of a manifest make the keys of a batch, and returns its job's result.
func (c *changing) generate(g *fleet, b *keygenBatch) *wire.Result {
	h := b.header()
	p, ctx := h.Params(g.m), h.Context(g.m)
	say := func(kind wire.SlotKind, node int, body []byte) {
		slot := wire.Slot{Kind: kind, ID: b.id, Node: node}.String()
		c.post(slot, g.sessions[node].Seal(g.m, slot, body))
	}
	var deals []*frost.Deal
	var raw [][]byte
	for node := range g.m.N {
		var seed [32]byte
		must(rand.Read(seed[:]))
		deal := must(frost.NewDeal(p, node, &seed))
		deals, raw = append(deals, deal), append(raw, wire.EncodeDeal(h, deal))
		say(wire.SlotDeal, node, raw[node])
	}
	transcript := wire.Transcript(wire.DealDigests(raw))
	for node := range g.m.N {
		batch := must(frost.Finalize(p, node, &g.host[node], deals))
		cert := &wire.Certificate{
			Context: ctx, Transcript: transcript, Node: uint32(node),
			Root: wire.KeyRoot(wire.EntryKeys(batch.PublicKeys, h.Client, transcript)),
		}
		cert.Attestation = g.attestOne(node, cert.Leaf(g.m))
		say(wire.SlotCert, node, wire.Encode(cert))
	}
	c.run()
	return c.desk.result()
}
