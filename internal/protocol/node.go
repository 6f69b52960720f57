package protocol

import (
	"io"
	"maps"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// NodeConfig is what a worker's machine starts with. The machine wipes Host and
// SeedSecret when it is stopped.
type NodeConfig struct {
	Manifest   *wire.Manifest
	Access     *wire.Access
	Index      int
	Host       *secret.Bytes // X25519 private key, Derive("host", ...)
	SeedSecret *secret.Bytes // mixed into every deal's seed
	Rand       io.Reader     // crypto/rand
	// StandbyDelay is how long a signer of the second rank waits before it offers
	// itself. StandbyDelayChanged replaces it.
	StandbyDelay time.Duration
	// Known are the batches in the keystore.
	Known map[string]KnownBatch
}

// KnownBatch is what the keystore holds of a batch.
type KnownBatch struct {
	Transcript [32]byte
	Complete   bool
}

// Bounds on what a node remembers of batches and sessions that it may never work on.
const (
	maxEarlyBytes = 64 << 20
	sessionLife   = 5 * time.Minute
	overLife      = 10 * time.Second // of a session that needs nothing more: 800 bytes each
)

// Node is one worker's machine. Step changes it; everything else is a question
// that changes nothing. It is not safe for concurrent use: its program calls it
// from one goroutine at a time.
type Node struct {
	cfg      NodeConfig
	opener   *wire.Opener
	board    *board.Board
	batches  map[string]*dkg // those that this process works on, or gave up
	known    map[string]KnownBatch
	sessions map[string]*signing
	finished *finishedSessions
	early    *earlyMessages
	now      time.Time
	lastKeys uint64    // sequence of the last KEYS message seen
	keysTime time.Time // of the newest KEYS message seen
	nonces   struct{ drawn, used, dropped uint64 }
	stopped  bool
}

// NewNode returns a machine that has seen nothing of the log.
func NewNode(cfg NodeConfig) *Node {
	opener := wire.NewOpener(cfg.Manifest, cfg.Access)
	known := map[string]KnownBatch{}
	maps.Copy(known, cfg.Known)
	return &Node{
		cfg: cfg, opener: opener, known: known,
		board: board.New(cfg.Manifest, opener, maxBoardBytes), batches: map[string]*dkg{},
		sessions: map[string]*signing{}, finished: newFinishedSessions(maxFinished), early: newEarlyMessages(maxEarlyBytes),
	}
}

// Step takes an event and returns what is to be done.
func (n *Node) Step(ev Event) []Effect {
	if n.stopped && !carriesSecrets(ev) {
		return nil
	}
	switch e := ev.(type) {
	case KeysMessage:
		return n.onKeys(e.LogMessage, false)
	case KeysAgain:
		return n.onKeys(e.LogMessage, true)
	case SignMessage:
		return n.onSign(e.LogMessage)
	case TaskMessage:
		return n.onTask(e)
	case taskOpened:
		return n.onTaskOpened(e)
	case Tick:
		return n.onTick(e.Now)
	case SlotLost:
		return n.onSlotLost(e.Slot)
	case SignLost:
		return n.onSignLost()
	case StandbyDelayChanged:
		n.cfg.StandbyDelay = e.Delay
	case Stop:
		n.stop()
	case Recertify, CertifyFailed, dealMade, dealsVerified, batchRebuilt:
		return n.onBatchEvent(ev)
	default:
		return n.onSigningEvent(ev)
	}
	return nil
}

func (n *Node) onBatchEvent(ev Event) []Effect {
	switch e := ev.(type) {
	case Recertify:
		return n.recertify(e)
	case CertifyFailed:
		if b := n.batches[e.ID]; b != nil {
			return b.giveUp(fault{e.Code, e.Err.Error(), -1})
		}
	case dealMade:
		return e.b.onDealMade(e)
	case dealsVerified:
		return e.b.onVerified(e)
	case batchRebuilt:
		return e.b.onRebuilt(e)
	}
	return nil
}

func (n *Node) onSigningEvent(ev Event) []Effect {
	switch e := ev.(type) {
	case Timer:
		if s := n.sessions[e.ID]; s != nil {
			return s.onTimer(e.Kind)
		}
	case Sealed:
		if s := n.sessions[e.Slot.ID]; s != nil {
			s.onSealed(e)
		}
	case Loaded:
		if s := n.sessions[e.ID]; s != nil {
			return s.onLoaded(e.Keys)
		}
		wipeLoaded(e.Keys)
	case itemsChecked:
		return e.s.onItems(e)
	case commitChecked:
		return e.s.onChecked(e)
	case noncesMade:
		return e.s.onNonces(e)
	case sharesMade:
		return e.s.onShares(e)
	}
	return nil
}

// onTick drops what has outlived its use, and with it every nonce in it.
func (n *Node) onTick(now time.Time) []Effect {
	n.now = now
	for id, s := range n.sessions {
		age, over := now.Sub(s.started), s.phase >= signDone
		if age > sessionLife || over && age > overLife {
			s.drop()
			delete(n.sessions, id)
			n.finished.add(id, now)
		}
	}
	n.finished.expire(now)
	for _, b := range n.batches {
		b.expire(now)
	}
	n.early.expire(now.Add(-sessionLife))
	// While an old record is read, a batch is as old as the rest of it makes it.
	if n.keysTime.Before(now) {
		now = n.keysTime
	}
	n.board.Expire(now.Add(-boardLife))
	return nil
}

// onSignLost gives up every session that is not over: the messages that its
// signing set was read from are gone.
func (n *Node) onSignLost() (effects []Effect) {
	for _, id := range slices.Sorted(maps.Keys(n.sessions)) {
		effects = append(effects, n.sessions[id].sitOut("the SIGN stream was lost")...)
	}
	return effects
}

func (n *Node) onSlotLost(slot wire.Slot) []Effect {
	if s := n.sessions[slot.ID]; s != nil {
		return s.sitOut("another message of this node is in its slot already: a second process with this index, " +
			"or an earlier life")
	}
	if b := n.batches[slot.ID]; b != nil && slot.Kind == wire.SlotDeal && b.phase < dkgCertifying {
		return b.giveUp(fault{wire.CodeRestarted, "another deal of this node is in its slot already", -1})
	}
	return nil
}

// stop wipes every secret that the machine holds. It keeps no batch and no session,
// so that what still arrives is wiped as well.
func (n *Node) stop() {
	n.stopped = true
	for _, s := range n.sessions {
		s.drop()
	}
	clear(n.sessions)
	clear(n.batches)
	n.cfg.Host.Wipe()
	n.cfg.SeedSecret.Wipe()
}

// carriesSecrets reports whether an event has shares or nonces in it.
func carriesSecrets(ev Event) bool {
	switch ev.(type) {
	case Loaded, itemsChecked, noncesMade, dealsVerified, batchRebuilt:
		return true
	}
	return false
}
