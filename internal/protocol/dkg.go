package protocol

import (
	"errors"
	"fmt"
	"io"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// dkgPhase is how far a node is with a batch.
type dkgPhase int

const (
	dkgIdle       dkgPhase = iota // no task: the node only reads along
	dkgDealing                    // the deal is being computed
	dkgDealt                      // the deal is out; its hash is in memory
	dkgVerifying                  // all n deals are there and are being checked
	dkgCertifying                 // stored, or about to be; the certificate follows
	dkgRebuilding                 // done without this process's help: rebuilt from the log
	dkgComplete                   // n certificates: the keys are usable
	dkgAborted                    // given up, by this node or another
)

// dkgMoves lists the legal moves. From certifying there is no way back: a
// node that may have signed a certificate waits for the others.
var dkgMoves = map[dkgPhase][]dkgPhase{
	dkgIdle:       {dkgDealing, dkgRebuilding, dkgAborted, dkgComplete},
	dkgDealing:    {dkgDealt, dkgRebuilding, dkgAborted},
	dkgDealt:      {dkgVerifying, dkgRebuilding, dkgAborted},
	dkgVerifying:  {dkgCertifying, dkgRebuilding, dkgAborted},
	dkgCertifying: {dkgComplete, dkgAborted},
	dkgRebuilding: {dkgComplete, dkgAborted},
	dkgAborted:    {dkgRebuilding, dkgComplete},
}

// dkg is one batch at one node (docs/protocol.md).
type dkg struct {
	node  *Node
	log   *batchLog
	phase dkgPhase
	job   string // of the task, for reports
	trace string
	// own is the hash of the deal that this process made. It is the proof that
	// the deal in the log is this process's, and gone after a restart.
	own [32]byte
	// mine is the transcript that this node certified, here or in an earlier
	// life: what its keystore holds of the batch.
	mine [32]byte
	// gone is set when the node forgot this batch: answers of computations that
	// were under way then are for nobody.
	gone      bool
	refetched bool // the log was asked for missing deals
}

func (b *dkg) to(next dkgPhase) {
	for _, p := range dkgMoves[b.phase] {
		if p == next {
			b.phase = next
			return
		}
	}
	panic(fmt.Sprintf("batch %s: no move from phase %d to %d", b.log.id, b.phase, next))
}

func (b *dkg) idle() bool { return b.phase == dkgIdle || b.phase == dkgAborted }

// startBatch begins a keygen task: this node deals, unless it did so in an
// earlier life, of which the log tells.
func (n *Node) startBatch(task *wire.Task, job *wire.Job) []Effect {
	if int(task.Part) >= job.Parts(n.Manifest) || len(task.Items) > 0 || len(task.Exclude) > 0 {
		return badTask("keygen task "+job.ID, fmt.Errorf("part %d does not exist, or the task lists items", task.Part))
	}
	header := job.PartHeader(n.Manifest, task.Job.Client, task.Job.Digest(n.Manifest), int(task.Part), int(task.Attempt))
	id := wire.ShortID(header.Context(n.Manifest))
	if _, known := n.Known[id]; known {
		return nil
	}
	b := n.batch(id)
	if b.phase != dkgIdle {
		return nil
	}
	b.log.header = &header
	b.log.lastTime = n.now
	b.job, b.trace = jobKey(task.Job.Client, job.ID), task.Job.Trace
	if _, abort := b.log.abort(); abort != nil {
		b.to(dkgAborted)
		return nil
	}
	if b.log.certs[n.Index] != nil {
		return nil // certified in an earlier life: the log completes it
	}
	if b.log.deals[n.Index] != nil {
		return b.giveUp(wire.CodeRestarted, "the node restarted after it had dealt: its polynomials are gone", -1)
	}
	b.to(dkgDealing)
	return []Effect{Compute{Name: "make deal", Trace: b.trace, Run: b.makeDeal}}
}

// makeDeal draws the seed, hedged with a derived secret so that a weak
// generator alone does not expose the polynomials, and never deterministic.
func (b *dkg) makeDeal() Event {
	n, p := b.node, b.log.header.Params(b.node.Manifest)
	var fresh [32]byte
	if _, err := io.ReadFull(n.Rand, fresh[:]); err != nil {
		return dealMade{b: b, err: err}
	}
	seed := frost.Hash("frostfleet/deal-seed/v1", fresh[:], n.Hedge.Expose(), p.Context[:])
	deal, err := frost.NewDeal(p, n.Index, &seed)
	clear(fresh[:])
	clear(seed[:])
	if err != nil {
		return dealMade{b: b, err: err}
	}
	return dealMade{b: b, body: wire.EncodeDeal(*b.log.header, deal)}
}

func (b *dkg) onDealMade(e dealMade) []Effect {
	if b.phase != dkgDealing || b.gone {
		return nil // given up meanwhile
	}
	if e.err != nil {
		return b.giveUp(wire.CodeInternal, "deal: "+e.err.Error(), -1)
	}
	b.own = frost.Hash("frostfleet/own-deal/v1", e.body)
	b.to(dkgDealt)
	effects := []Effect{
		Publish{Slot: wire.Slot{Kind: wire.SlotDeal, ID: b.log.id, Node: b.node.Index}, Body: e.body, Trace: b.trace},
		b.report(ReportDealt),
	}
	return append(effects, b.verify()...)
}

// onLog acts on a slot that just got its value.
func (b *dkg) onLog(slot wire.Slot) []Effect {
	switch slot.Kind {
	case wire.SlotDeal:
		return append(b.verify(), b.finish()...)
	case wire.SlotCert:
		return append(b.refetch(), b.finish()...)
	case wire.SlotAbort:
		return b.onAbort()
	}
	return nil
}

// refetch asks for the whole batch if a certificate came before all deals: in
// the log it comes after them, so this node's view of the batch is partial.
func (b *dkg) refetch() []Effect {
	if b.refetched || b.log.allDeals() {
		return nil
	}
	b.refetched = true
	return []Effect{Refetch{ID: b.log.id}}
}

// onAbort stops work that led to nothing yet. n certificates win over any
// abort, so a node that may have certified only waits.
func (b *dkg) onAbort() []Effect {
	switch b.phase {
	case dkgDealing, dkgDealt, dkgVerifying, dkgIdle:
		b.to(dkgAborted)
	}
	return nil
}

// verify begins the checks once all n deals are there.
func (b *dkg) verify() []Effect {
	if b.phase != dkgDealt || !b.log.allDeals() {
		return nil
	}
	n := b.node
	if frost.Hash("frostfleet/own-deal/v1", b.log.deals[n.Index]) != b.own {
		return b.giveUp(wire.CodeDealReplaced, "the deal in this node's slot is not the one it made", -1)
	}
	deals, culprit := b.log.decoded(n.Manifest)
	if culprit >= 0 {
		return b.giveUp(wire.CodeDealMalformed, fmt.Sprintf("node %d's deal is not a deal of this batch", culprit), culprit)
	}
	b.to(dkgVerifying)
	params := b.log.header.Params(n.Manifest)
	return []Effect{Compute{Name: "verify deals", Trace: b.trace, Run: func() Event {
		host := [32]byte(n.Host.Expose())
		defer clear(host[:])
		batch, err := frost.Finalize(params, n.Index, &host, deals)
		return dealsVerified{b: b, batch: batch, err: err}
	}}}
}

// onVerified certifies, or names the culprit.
func (b *dkg) onVerified(e dealsVerified) []Effect {
	if b.phase != dkgVerifying || b.gone {
		wipeBatch(e.batch)
		return nil
	}
	if e.err != nil {
		var blame *frost.BlameError
		if errors.As(e.err, &blame) {
			return b.giveUp(wire.Code(blame.Code), fmt.Sprintf("node %d's deal: %s", blame.Dealer, blame.Reason), blame.Dealer)
		}
		return b.giveUp(wire.CodeInternal, e.err.Error(), -1)
	}
	b.to(dkgCertifying)
	m := b.node.Manifest
	b.mine = wire.Transcript(b.log.deals)
	cert := wire.Certificate{
		Context: b.log.header.Context(m), Transcript: b.mine,
		Root: wire.KeyRoot(e.batch.PublicKeys, b.log.header.Client), Node: uint32(b.node.Index),
	}
	return append([]Effect{Certify{
		Record:  b.record(e.batch),
		Publish: publishCertificate(m, b.log.id, cert, b.trace),
	}, b.report(ReportCertified)}, b.finish()...)
}

// report is a report of this batch, with the keys in it.
func (b *dkg) report(what ReportKind) Report {
	r := Report{What: what, Kind: wire.KindKeygen, ID: b.log.id, Job: b.job, Trace: b.trace, Culprit: -1}
	if b.log.header != nil {
		r.Suite, r.Count = frost.Suite(b.log.header.Suite), int(b.log.header.K)
	}
	return r
}

// aborted is a report of a batch that was given up; culprit -1 is nobody.
func (b *dkg) aborted(code wire.Code, culprit int, reason string) Report {
	r := b.report(ReportAborted)
	r.Code, r.Culprit, r.Reason, r.Count = code, culprit, reason, 0
	return r
}

func publishCertificate(m *wire.Manifest, id string, cert wire.Certificate, trace string) Publish {
	leaf := cert.Leaf(m)
	return Publish{Slot: wire.Slot{Kind: wire.SlotCert, ID: id, Node: int(cert.Node)}, Trace: trace, Leaf: &leaf, With: func(a *wire.Attestation) []byte {
		cert.Attestation = a
		return wire.Encode(&cert)
	}}
}

func (b *dkg) record(batch *frost.Batch) *BatchRecord {
	return &BatchRecord{
		ID: b.log.id, Header: *b.log.header, Context: b.log.header.Context(b.node.Manifest),
		Transcript: wire.Transcript(b.log.deals), Deals: b.log.deals, Batch: batch,
	}
}

// Certified is a batch that an earlier life of this node stored and certified,
// and did not see completed.
type Certified struct {
	ID         string
	Context    [32]byte
	Transcript [32]byte
	Root       [32]byte // KeyRoot
}

// Recertify says again what a stored record certifies: the process that made
// it may have ended before its certificate was out. The transcript is the
// stored one, so this is the same certificate and no second.
func (n *Node) Recertify(c Certified) []Effect {
	b := n.batch(c.ID)
	if b.phase != dkgIdle {
		return nil
	}
	b.phase = dkgCertifying
	b.mine = c.Transcript
	b.refetched = true // its certificates may lie before the cursor
	n.Known[c.ID] = KnownBatch{Transcript: c.Transcript}
	cert := wire.Certificate{Context: c.Context, Transcript: c.Transcript, Root: c.Root, Node: uint32(n.Index)}
	return append([]Effect{publishCertificate(n.Manifest, c.ID, cert, ""), Refetch{ID: c.ID}}, b.finish()...)
}

// finish completes the batch once all n certificates are in the log.
func (b *dkg) finish() []Effect {
	if b.phase == dkgComplete || b.phase == dkgRebuilding || !b.log.certified() {
		return nil
	}
	if b.phase != dkgCertifying {
		if known, ok := b.node.Known[b.log.id]; ok && known.Transcript != b.log.certs[0].Transcript {
			return b.otherTranscript()
		}
		return b.rebuild()
	}
	if b.log.certs[0].Transcript != b.mine {
		return b.otherTranscript()
	}
	b.to(dkgComplete)
	return b.done(Complete{ID: b.log.id, Certificates: b.log.raw})
}

// otherTranscript happens where a second process of this node certified other
// deals: what the keystore holds are not shares of the certified keys.
func (b *dkg) otherTranscript() []Effect {
	if b.phase != dkgAborted {
		b.to(dkgAborted)
	}
	return []Effect{b.aborted(wire.CodeOtherTranscript, b.node.Index,
		"all nodes certified this batch over deals that this process did not certify: another process runs with this node's index and keys; stop one, remove storage_path and start again")}
}

func (b *dkg) done(effect Effect) []Effect {
	n, id := b.node, b.log.id
	report := b.report(ReportComplete)
	n.Known[id] = KnownBatch{Transcript: b.log.certs[0].Transcript, Complete: true}
	n.forget(id)
	return []Effect{effect, report}
}

// rebuild makes the node's shares from the log alone: the batch was finished
// by an earlier life of this node whose storage is gone.
func (b *dkg) rebuild() []Effect {
	n := b.node
	if !b.log.allDeals() {
		return nil // asked for
	}
	cert := b.log.certs[0]
	deals, culprit := b.log.decoded(n.Manifest)
	if culprit >= 0 || wire.Transcript(b.log.deals) != cert.Transcript {
		return []Effect{b.aborted(wire.CodeOtherTranscript, culprit, "the certificates are not over the deals in the log: restore KEYS from a mirror")}
	}
	b.to(dkgRebuilding)
	record, params := b.record(nil), b.log.header.Params(n.Manifest)
	return []Effect{Compute{Rebuild: true, Run: func() Event {
		host := [32]byte(n.Host.Expose())
		defer clear(host[:])
		batch, err := frost.Recover(params, n.Index, &host, deals)
		if err == nil && wire.KeyRoot(batch.PublicKeys, record.Header.Client) != cert.Root {
			err = errors.New("rebuilt keys are not the certified ones")
		}
		record.Batch = batch
		return batchRebuilt{b: b, record: record, err: err}
	}}}
}

func (b *dkg) onRebuilt(e batchRebuilt) []Effect {
	if b.phase != dkgRebuilding || b.gone {
		wipeBatch(e.record.Batch)
		return nil
	}
	if e.err != nil {
		wipeBatch(e.record.Batch)
		b.to(dkgAborted)
		return []Effect{b.aborted(wire.CodeInternal, -1, "rebuild: "+e.err.Error())}
	}
	b.to(dkgComplete)
	effects := b.done(StoreRecovered{Record: e.record, Certificates: b.log.raw})
	return append(effects, b.report(ReportRecovered))
}

// giveUp says in the log that this node will not certify the batch.
func (b *dkg) giveUp(code wire.Code, reason string, culprit int) []Effect {
	if b.phase == dkgAborted || b.phase == dkgComplete || b.log.header == nil {
		return nil
	}
	b.to(dkgAborted)
	c := wire.Complaint{Session: b.log.header.Context(b.node.Manifest), Code: code, Reason: wire.Clip(reason)}
	if culprit >= 0 {
		who := uint8(culprit)
		c.Culprit = &who
	}
	return []Effect{
		Publish{Slot: wire.Slot{Kind: wire.SlotAbort, ID: b.log.id, Node: b.node.Index}, Body: wire.Encode(&c), Trace: b.trace},
		b.aborted(code, culprit, reason),
	}
}
