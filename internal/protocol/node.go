package protocol

import (
	"bytes"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// NodeConfig is what a worker's machine starts with.
type NodeConfig struct {
	Manifest *wire.Manifest
	Access   *wire.Access
	Index    int
	Host     *secret.Bytes // X25519 private key, Derive("host", ...)
	Hedge    *secret.Bytes // mixed into every deal's seed
	Rand     io.Reader     // crypto/rand
	// Delay is how long a signer of the second rank waits before it offers
	// itself.
	Delay time.Duration
	// Known are the batches in the keystore.
	Known map[string]KnownBatch
}

// KnownBatch is what the keystore says of a batch.
type KnownBatch struct {
	Transcript [32]byte
	Complete   bool
}

// Bounds of what a node remembers of sessions that it may never work on.
const (
	maxBatchLogBytes = 256 << 20
	maxMailboxBytes  = 64 << 20
	batchLogLife     = wire.MaxJobLife + 10*time.Minute
	sessionLife      = 5 * time.Minute
	overLife         = 10 * time.Second // of a session that needs nothing more: 800 bytes each
)

// Node is one worker's machine. It is not safe for concurrent use: its
// program calls it from one place at a time.
type Node struct {
	NodeConfig
	opener   *wire.Opener
	attested *wire.AttestationCache
	batches  map[string]*dkg
	bytes    int
	sessions map[string]*signing
	spent    *spent
	mail     *mailbox
	now      time.Time
	lastKeys uint64 // sequence of the last KEYS message seen
	nonces   struct{ drawn, used, dropped uint64 }
}

// NewNode returns a machine that has seen nothing of the log.
func NewNode(cfg NodeConfig) *Node {
	if cfg.Known == nil {
		cfg.Known = map[string]KnownBatch{}
	}
	return &Node{
		NodeConfig: cfg, opener: wire.NewOpener(cfg.Manifest, cfg.Access), attested: wire.NewAttestationCache(cfg.Manifest),
		batches: map[string]*dkg{}, sessions: map[string]*signing{}, spent: newSpent(maxSpent), mail: newMailbox(maxMailboxBytes),
	}
}

// Step takes an event and gives what is to be done.
func (n *Node) Step(ev Event) []Effect {
	switch e := ev.(type) {
	case KeysMessage:
		return n.onKeys(e.LogMessage)
	case SignMessage:
		return n.onSign(e.LogMessage)
	case TaskMessage:
		return n.onTask(e)
	case Tick:
		return n.onTick(e.Now)
	case Timer:
		if s := n.sessions[e.ID]; s != nil {
			return s.onTimer(e.Kind)
		}
	case SlotLost:
		return n.onSlotLost(e.Slot)
	case Loaded:
		if s := n.sessions[e.ID]; s != nil {
			return s.onLoaded(e.Keys)
		}
		wipeLoaded(e.Keys)
	case SignLost:
		return n.onSignLost()
	case commitChecked:
		return e.s.onChecked(e)
	case noncesMade:
		return e.s.onNonces(e)
	case sharesMade:
		return e.s.onShares(e)
	default:
		return n.onBatchEvent(ev)
	}
	return nil
}

func (n *Node) onBatchEvent(ev Event) []Effect {
	switch e := ev.(type) {
	case dealMade:
		return e.b.onDealMade(e)
	case dealsVerified:
		return e.b.onVerified(e)
	case batchRebuilt:
		return e.b.onRebuilt(e)
	case CertifyFailed:
		if b := n.batches[e.ID]; b != nil {
			return b.giveUp(e.Code, e.Err.Error(), -1)
		}
	}
	return nil
}

// onKeys keeps what the log says of every batch, also of those that this node
// has no task for: it may have been asleep when they were made.
func (n *Node) onKeys(msg wire.LogMessage) []Effect {
	n.lastKeys = max(n.lastKeys, msg.Seq)
	slot, err := wire.ParseSlot(msg.Subject)
	if err != nil || slot.Kind.Signing() || n.Known[slot.ID].Complete {
		return nil
	}
	b := n.batch(slot.ID)
	before := b.log.size()
	if !b.log.put(n.opener, slot, msg) {
		if b.idle() && b.log.firstSeq == 0 {
			n.forget(slot.ID) // junk opens no entry
		}
		return nil
	}
	n.bytes += b.log.size() - before
	n.evict(slot.ID)
	return b.onLog(slot)
}

func (n *Node) batch(id string) *dkg {
	b := n.batches[id]
	if b == nil {
		b = &dkg{node: n, log: newBatchLog(id, n.Manifest.N)}
		n.batches[id] = b
		n.bytes += b.log.size()
	}
	return b
}

// forget drops a batch's entry.
func (n *Node) forget(id string) {
	if b := n.batches[id]; b != nil {
		n.bytes -= b.log.size()
		b.gone = true
		delete(n.batches, id)
	}
}

// evict drops the oldest batches that nobody asked this node to work on, when
// the deals in memory grow over their bound. What is dropped can be fetched
// from the log again.
func (n *Node) evict(keep string) {
	for n.bytes > maxBatchLogBytes {
		var oldest *dkg
		for id, b := range n.batches {
			if id != keep && b.idle() && (oldest == nil || b.log.firstSeq < oldest.log.firstSeq) {
				oldest = b
			}
		}
		if oldest == nil {
			return
		}
		n.forget(oldest.log.id)
	}
}

func (n *Node) onSign(msg wire.LogMessage) []Effect {
	slot, err := wire.ParseSlot(msg.Subject)
	if err != nil || !slot.Kind.Signing() || slot.Node >= n.Manifest.N {
		return nil
	}
	if s := n.sessions[slot.ID]; s != nil {
		return s.onLog(slot, msg)
	}
	if !n.spent.has(slot.ID) {
		n.mail.put(slot, msg)
	}
	return nil
}

// onTask checks a task as if nobody had checked it before, and starts it.
func (n *Node) onTask(e TaskMessage) []Effect {
	n.now = e.Now
	body, err := n.opener.FromGateway(e.Subject, e.Data)
	if err != nil {
		return badTask(e.Subject, err)
	}
	task, err := wire.DecodeTask(body, n.Manifest)
	if err != nil {
		return badTask(e.Subject, err)
	}
	task.Job.Trace = e.LogMessage.Trace
	if err := task.Job.Authenticate(n.Manifest, n.Access); err != nil {
		return badTask(e.Subject, err)
	}
	// Expiry by the stream's clock, which all nodes share, and by this node's,
	// which nobody else can set.
	job, jobErr := task.Job.Parse(e.Time)
	if jobErr != nil {
		return badTask(e.Subject, jobErr)
	}
	if e.Now.After(job.Expires.Add(wire.ClockSkew)) {
		return badTask(e.Subject, wire.Refuse(wire.CodeExpired, "the job expired at %s by this node's clock", job.Expires.UTC().Format(time.RFC3339)))
	}
	if e.Subject != wire.TaskSubject(task, job.ID) {
		return badTask(e.Subject, wire.Refuse(wire.CodeMalformedJob, "task under another task's subject"))
	}
	if job.Kind == wire.KindKeygen {
		return n.startBatch(task, job)
	}
	return n.startSigning(task, job)
}

func badTask(subject string, err error) []Effect {
	return []Effect{Report{What: ReportBadTask, ID: subject, Reason: err.Error(), Culprit: -1}}
}

// onTick drops what has outlived its use, and with it every nonce in it.
func (n *Node) onTick(now time.Time) []Effect {
	n.now = now
	for id, s := range n.sessions {
		age, over := now.Sub(s.started), s.phase >= signDone
		if age > sessionLife || over && age > overLife {
			s.drop()
			delete(n.sessions, id)
			n.spent.add(id, now)
		}
	}
	n.spent.expire(now)
	for id, b := range n.batches {
		if !b.log.lastTime.IsZero() && now.Sub(b.log.lastTime) > batchLogLife {
			n.forget(id) // late certificates bring a certified batch back, by way of the log
		}
	}
	n.mail.expire(now.Add(-sessionLife))
	return nil
}

// onSignLost gives up every session that is not through: its place in the log
// is gone, and with it what the signing set was.
func (n *Node) onSignLost() (effects []Effect) {
	for _, id := range slices.Sorted(maps.Keys(n.sessions)) {
		effects = append(effects, n.sessions[id].sitOut("the SIGN stream was lost")...)
	}
	return effects
}

func (n *Node) onSlotLost(slot wire.Slot) []Effect {
	if s := n.sessions[slot.ID]; s != nil {
		return s.sitOut("another message of this node stands in its slot: a second process with this index, or an earlier life")
	}
	if b := n.batches[slot.ID]; b != nil && slot.Kind == wire.SlotDeal && b.phase < dkgCertifying {
		return b.giveUp(wire.CodeRestarted, "another deal of this node stands in its slot", -1)
	}
	return nil
}

// Sealed tells the node how a message of its own goes to the log, so that it
// need not verify it when it comes back.
func (n *Node) Sealed(slot wire.Slot, data []byte) {
	if s := n.sessions[slot.ID]; s != nil && slot.Kind == wire.SlotCommit && s.phase == signCommitted {
		s.sealed = data
	}
}

// Judge says what a message that stands in one of this node's slots is, given
// what the node wants to say there.
func (n *Node) Judge(slot wire.Slot, standing wire.LogMessage, body []byte) wire.Verdict {
	got, err := n.opener.FromNode(n.Index, standing.Subject, standing.Time, standing.Data)
	if slot.Kind == wire.SlotCert && err != nil {
		got = wire.UnverifiedBody(standing.Data) // as batchLog.put does
	} else if err != nil {
		return wire.Junk
	}
	switch slot.Kind {
	case wire.SlotCert:
		return n.judgeCertificate(slot, got, body)
	case wire.SlotAbort, wire.SlotRefuse:
		if c, err := wire.DecodeComplaint(got); err != nil || wire.ShortID(c.Session) != slot.ID {
			return wire.Junk
		}
		return wire.Mine // whatever the reason: this node is out
	}
	if bytes.Equal(got, body) {
		return wire.Mine
	}
	return wire.Other
}

// judgeCertificate follows batchLog.set in what counts as a certificate. The
// HSM's signature may differ from one to the next; what it says may not.
func (n *Node) judgeCertificate(slot wire.Slot, got, body []byte) wire.Verdict {
	standing, err := wire.DecodeCertificate(got, n.Manifest, n.Index)
	if err != nil || wire.ShortID(standing.Context) != slot.ID {
		return wire.Junk
	}
	mine, err := wire.DecodeCertificate(body, n.Manifest, n.Index)
	if err == nil && standing.Agrees(mine) {
		return wire.Mine
	}
	return wire.Other
}

// Cursor is the KEYS sequence from which a restarted node has to read: what
// lies before it is in the keystore or will never be needed.
func (n *Node) Cursor() uint64 {
	next := n.lastKeys + 1
	for _, b := range n.batches {
		if b.log.firstSeq > 0 {
			next = min(next, b.log.firstSeq)
		}
	}
	return next
}

// Sessions counts what is in work, for metrics: batches that this node deals
// in, and signing sessions that hold nonces.
func (n *Node) Sessions() (batches, nonces int) {
	for _, b := range n.batches {
		if !b.idle() {
			batches++
		}
	}
	for _, s := range n.sessions {
		if s.nonces != nil {
			nonces++
		}
	}
	return batches, nonces
}

// NonceCounts counts nonce pairs, one for each item, since the start: drawn, and
// of them used for a share and dropped unused. The rest is held.
func (n *Node) NonceCounts() (drawn, used, dropped uint64) {
	return n.nonces.drawn, n.nonces.used, n.nonces.dropped
}

func wipeBatch(b *frost.Batch) {
	if b != nil {
		b.Shares.Wipe()
	}
}
