package protocol

import (
	"maps"
	"slices"
	"strings"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Node is one worker's machine. Step changes it; everything else is a question
// that changes nothing. It is not safe for concurrent use: its program calls it
// from one goroutine at a time.
//
// Three machines do the work: the dealer makes batches, the signer signs, and the resharer
// moves batches to other nodes, or gets them from others.
type Node struct {
	*nodeCore
	dealer    *dealer
	signer    *signer
	resharer  *resharer
	postponed postponed // key generations that this node's clock alone refused
	stopped   bool
}

// NewNode returns a machine that has seen nothing of the log.
func NewNode(cfg NodeConfig) *Node {
	if cfg.Lineage == nil {
		cfg.Lineage = wire.NewLineage(cfg.Manifest)
	}
	if cfg.Oracle == nil {
		cfg.Oracle = noOracle{}
	}
	core := &nodeCore{
		cfg: cfg, authority: newAuthority(cfg.Manifest, cfg.Access), refused: map[string]bool{}, moved: map[string]bool{},
		heads: newPublicHeads(),
	}
	core.freezes = newFreezes(cfg.Manifest, cfg.Freezes)
	for _, id := range cfg.Refused {
		core.refused[id] = true
	}
	n := &Node{nodeCore: core, dealer: newDealer(core), signer: newSigner(core)}
	n.resharer = newResharer(core, n.dealer)
	return n
}

// Step takes an event and returns what is to be done.
func (n *Node) Step(ev Event) []Effect {
	switch e := ev.(type) { // these may carry secrets, which are wiped if they come after the end
	case answer:
		return e.resume()
	case Loaded:
		return n.signer.onLoaded(e)
	case SharesLoaded:
		return n.resharer.onShares(e)
	}
	if n.stopped {
		return nil
	}
	switch e := ev.(type) {
	case RoundsMessage:
		return n.onRounds(e.LogMessage, false)
	case RoundsAgain:
		return n.onRounds(e.LogMessage, true)
	case KeysMessage:
		n.dealer.seen.keys = max(n.dealer.seen.keys, e.Seq)
		return n.resharer.onKeys(e.readMessage)
	case KeysAgain:
		return n.resharer.onKeys(e.readMessage)
	case SignMessage:
		if e.Now.After(n.now) { // between two ticks
			n.setTime(e.Now)
		}
		return n.signer.onMessage(e.LogMessage)
	case TaskMessage:
		return n.onTask(e)
	case taskOpened:
		return n.onTaskOpened(e)
	case Recertify:
		return n.recertify(e)
	case CertifyFailed:
		return n.onCertifyFailed(e)
	case Timer:
		return n.signer.onTimer(e)
	case Sealed:
		n.signer.onSealed(e)
	case SlotLost:
		return n.onSlotLost(e.Slot)
	case LedgerSaved:
		return n.signer.onSaved(e)
	case PolicyChanged:
		return n.signer.onPolicy(e.Policy)
	case RoundsLost:
		lost := fault{wire.CodeRestarted, "the rounds were lost; the gateway begins again", -1}
		effects := append(n.dealer.beginAgain(lost), n.resharer.beginAgain(lost)...)
		n.dealer.board.Lost()
		return effects
	case SignLost:
		return n.signer.onLost()
	case StandbyDelayChanged:
		n.cfg.StandbyDelay = e.Delay
	case AccessChanged:
		return n.onAccess(e.Access)
	case LineageChanged:
		return n.resharer.onLineage(e.Lineage)
	case SuccessorChanged:
		n.cfg.Successor = e.Next
		n.resharer.redeals.told = [32]byte{} // what was kept of it may be gone with the approval
	case ControlMessage:
		return onControl(n.signer, n.dealer, e)
	case ClockMeasured:
		n.stream.measure(e.At, e.Stream)
	case Tick:
		n.setTime(e.Now)
		effects := slices.Concat(n.signer.expire(), n.dealer.expire(), n.resharer.expire())
		for _, task := range n.postponed.take(n.checkClock) {
			effects = append(effects, n.onTaskOpened(task)...)
		}
		return effects
	case Stop:
		n.stop()
	}
	return nil
}

// onAccess takes a new access list.
func (n *Node) onAccess(access *wire.Access) (effects []Effect) {
	before := n.cfg.Access
	n.cfg.Access = access
	n.change(access)
	effects = slices.Concat(
		n.dealer.onAccess(access, before), n.resharer.onAccess(access, before), recountFreezes(n.signer, n.dealer, before),
	)
	if !access.TakesAway(before) {
		return effects
	}
	for _, id := range slices.Sorted(maps.Keys(n.signer.sessions)) {
		s := n.signer.sessions[id]
		effects = append(effects, s.sitOut("the access list took rights away; the gateway begins again")...)
	}
	return effects
}

// onRounds takes a message of the rounds, of a key generation or of a resharing.
func (n *Node) onRounds(msg wire.LogMessage, again bool) []Effect {
	return append(n.dealer.onRounds(msg, again), n.resharer.onRounds(msg, again)...)
}

func (n *Node) recertify(e Recertify) []Effect {
	if e.Batch.Generation > 0 {
		return n.resharer.recertify(e)
	}
	return n.dealer.recertify(e)
}

func (n *Node) onCertifyFailed(e CertifyFailed) []Effect {
	f := fault{e.Code, e.Err.Error(), -1}
	if e.Batch.Generation > 0 {
		return n.resharer.onCertifyFailed(e.Batch, f)
	}
	if b := n.dealer.batches[e.Batch.ID]; b != nil {
		return b.giveUp(f)
	}
	return nil
}

func (n *Node) onSlotLost(slot wire.Slot) []Effect {
	if s := n.signer.sessions[slot.ID]; s != nil {
		return s.sitOut("another message of this node is in its slot already: a second process with this index, " +
			"or an earlier life")
	}
	if b := n.dealer.batches[slot.ID]; b != nil && slot.Kind == wire.SlotDeal && b.phase < dkgCertifying {
		return b.giveUp(fault{wire.CodeRestarted, "another deal of this node is in its slot already", -1})
	}
	return nil
}

// stop wipes every secret that the machine holds. It keeps no batch and no session,
// so that what still arrives is wiped as well.
func (n *Node) stop() {
	n.stopped = true
	n.signer.stop()
	clear(n.dealer.batches)
	n.resharer.stop()
	n.cfg.Host.Wipe()
	n.cfg.SeedSecret.Wipe()
}

func (n *Node) onTask(e TaskMessage) []Effect {
	n.setTime(e.Now)
	n.stream.saw(e.Time, e.Now)
	return n.openTask(e)
}

func (n *Node) openTask(e TaskMessage) []Effect {
	access := n.cfg.Access
	if access.RevokesNode(n.cfg.Manifest, n.cfg.Index) {
		return nil
	}
	if wire.IsReshareTask(e.Subject) {
		return n.resharer.onTask(e)
	}
	if len(e.Data) <= inlineTask {
		return n.onTaskOpened(n.open(e, access))
	}
	// Who writes the subject chooses the lane; open then holds it against the task.
	urgent := strings.HasPrefix(e.Subject, "work.interactive.")
	run := func() Event { return n.open(e, access) }
	return []Effect{Compute{Urgent: urgent, Name: "open task", Trace: e.Trace, Run: run}}
}

// onTaskOpened begins what a task asks for, unless it has expired by this node's
// clock, which no other party can set. That is checked here and not when the task
// came: a session that is over is remembered for no longer.
func (n *Node) onTaskOpened(e taskOpened) []Effect {
	if e.access != n.cfg.Access {
		return n.openTask(e.message) // the list changed meanwhile
	}
	if e.elsewhere {
		return nil
	}
	if e.err == nil {
		if err := n.checkClock(e); err != nil {
			n.postponed.add(e)
			e.err = err
		}
	}
	if e.err == nil {
		e.err = n.checkAccess(e)
	}
	switch {
	case e.err != nil:
		return []Effect{Report{What: ReportBadTask, ID: e.message.Subject, Reason: e.err.Error(), Culprit: -1}}
	case e.header != nil:
		return n.dealer.pace(e)
	}
	e.request.deadline = n.stream.deadline(e.message.Time, len(e.request.which))
	if past(e.request.deadline, n.now) {
		return []Effect{droppedTask(e, lateReason)}
	}
	return n.signer.start(e)
}

// Held is the deal that the node has of the rounds for a subject of KEYS, if any.
func (n *Node) Held(subject string) Held { return n.dealer.heldDeal(subject) }

// Opens reports whether the node would open a message of a slot, of so many bytes, in its step, and takes long enough
// for that to have it read before. Of signing sessions it opens others' commitments and nothing else, and of the second
// rank none mostly.
func (n *Node) Opens(slot wire.Slot, size int) bool {
	if slot.Kind.Signing() {
		return slot.Kind == wire.SlotCommit && slot.Node != n.cfg.Index && size > inlineTask
	}
	return !n.dealer.known[wire.BatchRef{ID: slot.ID}].Complete
}
