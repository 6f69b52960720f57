package protocol

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// How a new node gets its shares: it gathers the deals of the old nodes and the entry that
// proves their shares, checks them, and certifies.

// resharePhase is how far a new node is with one generation of a batch.
type resharePhase int

const (
	reshareIdle       resharePhase = iota // nothing was done here: an entry shows it
	reshareWaiting                        // for its turn
	reshareGathering                      // its deals and the entry of the generation before are read
	reshareVerifying                      // all of them are there and are being checked
	reshareCertifying                     // stored, or about to be; the certificate follows
	reshareRebuilding                     // finished without this process's help: rebuilt from its entry
	reshareComplete                       // in the register: the keys are usable
	reshareAborted                        // given up
)

// reshareMoves lists the legal moves. As with key generations there is no way back from
// certifying.
var reshareMoves = map[resharePhase][]resharePhase{
	reshareIdle:       {reshareWaiting, reshareRebuilding, reshareComplete, reshareAborted},
	reshareWaiting:    {reshareGathering, reshareRebuilding, reshareAborted},
	reshareGathering:  {reshareVerifying, reshareRebuilding, reshareAborted},
	reshareVerifying:  {reshareCertifying, reshareRebuilding, reshareAborted},
	reshareCertifying: {reshareComplete, reshareAborted},
	reshareRebuilding: {reshareComplete, reshareAborted},
}

// intakes are the generations of batches that a node gets.
type intakes struct {
	board   *board.Reshares // of those that are being gathered or were certified
	work    map[wire.BatchRef]*intake
	waiting []*intake // oldest first; also in work
	openers map[[32]byte]*wire.Opener
	early   earlyDeals
}

// intake is one of them.
type intake struct {
	node  *resharer
	ref   wire.BatchRef
	phase resharePhase
	*wire.Reshare
	id        string // of the attempt; "" without one
	trace     string
	since     time.Time // that it is in its phase
	looked    time.Time // when its rounds were read once more
	unsure    []int     // dealers whose deal here may not be the first one
	certified [32]byte  // the transcript
}

// Bounds on these. Each holds t deals of 512 KiB at most, and the entry before n.
const (
	maxIntakes = 8
	// gatherLife is how long deals may take. Who withholds one holds up no other batch for
	// longer: the gateway opens another attempt, with other dealers.
	gatherLife = 2 * time.Minute
)

func (b *intake) to(next resharePhase) {
	b.phase = move(reshareMoves, b.phase, next, b.ref.ID)
	b.since = b.node.now
}

// source is the generation that the shares come from.
func (b *intake) source() wire.BatchRef { return wire.BatchRef{ID: b.ref.ID, Generation: b.From} }

// current reports whether the node still works on this very attempt in this phase.
func (b *intake) current(phase resharePhase) bool {
	return b.phase == phase && b.node.intakes.work[b.ref] == b
}

// receive has an attempt wait for its turn.
func (n *resharer) receive(r *wire.Reshare, e TaskMessage) ([]Effect, error) {
	ref := wire.BatchRef{ID: r.BatchID(), Generation: r.To}
	if _, known := n.dealer.known[ref]; known {
		return nil, nil // certified in an earlier life: its entry completes it
	}
	if err := n.mayReceive(r); err != nil {
		return nil, err
	}
	if len(n.intakes.waiting) >= maxWaiting {
		return nil, errWaitsLong
	}
	if err := n.try(r, e); err != nil {
		return nil, err
	}
	effects := n.supersede(ref.ID, "another attempt at moving the batch was opened")
	b := &intake{node: n, ref: ref, Reshare: r, id: r.ID(), trace: e.LogMessage.Trace}
	b.to(reshareWaiting)
	n.intakes.work[ref] = b
	n.intakes.waiting = append(n.intakes.waiting, b)
	return append(effects, n.nextIntake()...), nil
}

// mayReceive returns why this node takes no part in an attempt, nil if it does.
func (n *resharer) mayReceive(r *wire.Reshare) error {
	source, next, err := n.check(r)
	if err != nil {
		return err
	}
	if node := n.cfg.Access.RevokedNode(next); node >= 0 {
		return errRevokedNode(node)
	}
	for _, d := range r.Dealers {
		if n.cfg.Access.RevokesNode(source, int(d)) {
			return fmt.Errorf("node %d, which would deal, is revoked in the access list", d)
		}
	}
	if has, ok := n.dealer.completed(r.BatchID()); ok {
		return fmt.Errorf("this node has generation %d of batch %s already", has, r.BatchID())
	}
	return nil
}

// busy counts the attempts that are being gathered or checked.
func (n *resharer) busy() (count int) {
	for _, b := range n.intakes.work {
		if b.phase == reshareGathering || b.phase == reshareVerifying {
			count++
		}
	}
	return count
}

// nextIntake begins what waits while there is room.
func (n *resharer) nextIntake() (effects []Effect) {
	for len(n.intakes.waiting) > 0 && n.busy() < maxIntakes {
		b := n.intakes.waiting[0]
		n.intakes.waiting = n.intakes.waiting[1:]
		if b.current(reshareWaiting) {
			effects = append(effects, b.gather()...)
		}
	}
	return effects
}

// gather has the entry read from which the shares come, and what the rounds have of the
// attempt already: the board keeps nothing of what nobody works on.
func (b *intake) gather() []Effect {
	n := b.node
	if err := n.mayReceive(b.Reshare); err != nil {
		b.drop()
		return []Effect{refusedMove(b.Reshare, err)}
	}
	source, next, _ := n.check(b.Reshare) // mayReceive did
	b.to(reshareGathering)
	n.intakes.board.Open(*b.Reshare, source, next, n.openerOf(source), n.opener, n.now)
	for _, d := range b.Dealers {
		if n.intakes.early.has(b.id, int(d), n.now) {
			b.unsure = append(b.unsure, int(d))
		}
	}
	var effects []Effect
	if len(b.unsure) > 0 {
		effects = b.lookAgain()
	}
	if e := n.dealer.register.Get(b.source()); e == nil || !e.Whole() {
		effects = append(effects, Refetch{ID: b.ref.ID, Register: true})
	}
	return append(effects, b.verify()...)
}

// openerOf opens what another manifest's nodes seal.
func (n *resharer) openerOf(m *wire.Manifest) *wire.Opener {
	o := n.intakes.openers[m.Hash()]
	if o == nil {
		o = wire.NewOpener(m, n.cfg.Access)
		n.intakes.openers[m.Hash()] = o
	}
	return o
}

// onRounds takes what the rounds have of attempts in work.
func (n *resharer) onRounds(msg wire.LogMessage, again bool) []Effect {
	a, slot, changed := n.intakes.board.Put(msg)
	if a == nil {
		if slot.Kind == wire.SlotReshareDeal {
			n.intakes.early.put(slot, n.now)
		}
		return nil
	}
	b := n.intakes.work[wire.BatchRef{ID: a.BatchID(), Generation: a.To}]
	if b == nil || b.id != a.ID || !(again && b.confirm(slot, msg.Seq)) && !changed {
		return nil
	}
	switch slot.Kind {
	case wire.SlotReshareDeal:
		return b.verify()
	case wire.SlotReshareAbort:
		// Work that led to nothing yet stops. n certificates win over any abort, so a node
		// that may have certified only waits.
		if b.phase < reshareCertifying {
			return b.abandon(fmt.Sprintf("node %d gave it up: %s", slot.Node, a.Aborts()[slot.Node].Reason))
		}
	}
	return nil
}

// wants reports whether an attempt in work needs the entry of a generation.
func (n *resharer) wants(ref wire.BatchRef) bool {
	for _, b := range n.intakes.work {
		if b.phase == reshareGathering && b.source() == ref {
			return true
		}
	}
	return false
}

// onSource takes an entry that attempts in work want.
func (n *resharer) onSource(e *board.Entry) (effects []Effect) {
	for _, b := range n.sorted() {
		if b.phase == reshareGathering && b.source() == e.Ref() {
			effects = append(effects, b.verify()...)
		}
	}
	return effects
}

// sorted are the generations in work in one order, so that a simulation replays.
func (n *resharer) sorted() []*intake {
	all := make([]*intake, 0, len(n.intakes.work))
	for _, b := range n.intakes.work {
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b *intake) int { return compareRefs(a.ref, b.ref) })
	return all
}

var errOtherSource = errors.New("the register has another entry of the generation before than the task names")

// verify begins the checks once all deals and the entry before are there.
func (b *intake) verify() []Effect {
	n := b.node
	if b.phase != reshareGathering {
		return nil
	}
	a, entry := n.intakes.board.Get(b.id), n.dealer.register.Get(b.source())
	if entry != nil && !b.follows(entry.Entry) {
		return b.giveUp(fault{wire.CodeOtherTranscript, errOtherSource.Error(), -1})
	}
	digests, ok := a.Digests()
	switch {
	case !ok || entry == nil || !entry.Whole():
		return nil
	case len(b.unsure) > 0:
		return b.lookAgain()
	}
	b.to(reshareVerifying)
	source, before, deals, transcript := entry.Entry, entry.Raw(), a.Deals(), wire.Transcript(digests)
	lineage := n.cfg.Lineage
	b.release()
	return []Effect{Compute{Name: "verify reshared deals", Trace: b.trace, Run: func() Event {
		record, f := b.check(lineage, source, before, deals, transcript)
		return resharedVerified{b, record, f}
	}}}
}

// follows reports whether an entry is the one that the attempt begins at.
func (b *intake) follows(e *wire.Entry) bool {
	return e.Manifest == b.Source && e.Transcript == b.Base && e.MadeBy == b.Made && e.Origin == b.Origin && e.Header == b.Header
}

// release lets the register forget the entry before, unless another attempt needs it.
func (b *intake) release() {
	if !b.node.wants(b.source()) {
		b.node.dealer.register.Forget(b.source())
	}
}

// check makes the node's record out of the deals, or returns why there is none. The shares
// that were dealt are pinned by what the register proves: their public parts follow from the
// entry before.
func (b *intake) check(
	l *wire.Lineage, entry *wire.Entry, before, raw [][]byte, transcript [32]byte,
) (*BatchRecord, *fault) {
	cfg := &b.node.cfg
	public, err := PublicOf(l, entry, before)
	if err != nil {
		return nil, &fault{wire.CodeInternal, "the entry before: " + err.Error(), -1}
	}
	deals, f := decodeReshareDeals(raw, b.Reshare)
	if f != nil {
		return nil, f
	}
	host := [32]byte(cfg.Host.Expose())
	defer clear(host[:])
	p := b.Params(l.Manifest(b.Source), cfg.Manifest)
	batch, err := frost.FinalizeReshare(p, cfg.Index, &host, public, deals)
	var blame *frost.BlameError
	switch {
	case errors.As(err, &blame):
		reason := fmt.Sprintf("the deal of node %d of the manifest before: %s", blame.Dealer, blame.Reason)
		return nil, &fault{wire.Code(blame.Code), reason, blame.Dealer}
	case err != nil:
		return nil, &fault{wire.CodeInternal, err.Error(), -1}
	}
	return reshareRecord(b.Reshare, entry.Root, raw, transcript, batch), nil
}

func reshareRecord(r *wire.Reshare, root [32]byte, raw [][]byte, transcript [32]byte, batch *frost.Batch) *BatchRecord {
	return &BatchRecord{
		ID: r.BatchID(), Generation: r.To, Header: r.Header, Context: r.Context(), Transcript: transcript, MadeBy: r.Made,
		Root: root, Deals: raw, Reshare: r, Batch: batch,
	}
}

// decodeReshareDeals opens the deals of an attempt, which are in the order of its dealers, or
// names the dealer whose deal is none of it.
func decodeReshareDeals(raw [][]byte, r *wire.Reshare) ([]*frost.ReshareDeal, *fault) {
	deals, ctx := make([]*frost.ReshareDeal, len(raw)), r.Context()
	for i, body := range raw {
		of, deal, err := wire.DecodeReshareDeal(body)
		if err != nil || of.Context() != ctx {
			who := int(r.Dealers[i])
			reason := fmt.Sprintf("the deal of node %d of the manifest before is not one of this attempt", who)
			return nil, &fault{wire.CodeDealMalformed, reason, who}
		}
		deals[i] = deal
	}
	return deals, nil
}

// PublicOf computes the public part of a whole entry, of any generation. Deals are in the
// order of the entry's dealers. The keys are those that its nodes certified.
func PublicOf(l *wire.Lineage, e *wire.Entry, raw [][]byte) (*frost.Public, error) {
	var public *frost.Public
	var err error
	if e.Generation == 0 {
		deals, culprit := board.Decode(raw, e.Header)
		if culprit >= 0 {
			return nil, fmt.Errorf("batch %s: deal %d does not decode", e.ID, culprit)
		}
		public, err = frost.Summarize(e.Header.Params(l.Manifest(e.Manifest)), deals)
	} else {
		deals, f := decodeReshareDeals(raw, e.Reshare())
		if f != nil {
			return nil, errors.New(f.reason)
		}
		p := e.Reshare().Params(l.Manifest(e.Source), l.Manifest(e.Manifest))
		public, err = frost.SummarizeReshare(p, e.PublicKeys(), deals)
	}
	if err != nil {
		return nil, err
	}
	if wire.KeyRoot(wire.EntryKeys(public.PublicKeys, e.Header.Client, e.MadeBy)) != e.Root {
		return nil, fmt.Errorf("batch %s: its keys do not follow from its deals", e.ID)
	}
	return public, nil
}

type resharedVerified struct {
	b      *intake
	record *BatchRecord
	fault  *fault
}

func (resharedVerified) event() {}

func (e resharedVerified) resume() []Effect { return e.b.onVerified(e) }

// onVerified certifies, or names the culprit.
func (b *intake) onVerified(e resharedVerified) []Effect {
	n := b.node
	if !b.current(reshareVerifying) {
		e.record.wipe()
		return nil
	}
	if e.fault != nil {
		return b.giveUp(*e.fault)
	}
	b.to(reshareCertifying)
	b.certified = e.record.Transcript
	cert := wire.Certificate{
		Context: e.record.Context, Generation: b.ref.Generation, Transcript: e.record.Transcript, Root: e.record.Root,
	}
	effects := []Effect{Certify{Record: e.record, Publish: b.publishCertificate(cert)}, b.report(ReportReshareCertified)}
	if entry := n.dealer.register.Get(b.ref); entry != nil { // another process of this node certified
		effects = append(effects, n.onEntry(entry)...)
	}
	return append(effects, n.nextIntake()...)
}

func (b *intake) publishCertificate(cert wire.Certificate) Publish {
	cfg := &b.node.cfg
	cert.Node = uint32(cfg.Index)
	leaf := cert.Leaf(cfg.Manifest)
	with := func(a *wire.Attestation) []byte {
		cert.Attestation = a
		return wire.Encode(&cert)
	}
	slot := wire.Slot{Kind: wire.SlotReshareCert, ID: wire.ShortID(cert.Context), Node: cfg.Index}
	return Publish{Slot: slot, Trace: b.trace, Leaf: &leaf, With: with}
}
