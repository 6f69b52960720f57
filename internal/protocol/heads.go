package protocol

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// While keys move, a request may name some that this node's manifest has and some that another
// one's nodes have. Each node reads all of it, and so needs the public parts of all its keys:
// what it does not hold it takes from the heads of entries in the register, which prove
// themselves. No share comes that way, so nothing is signed with such a key.

// Bounds on heads. A client may name what it likes, and a gateway show it to nodes.
const (
	maxHeadBytes = 16 << 20         // of those that are held: 500 batches of 1,000 keys
	maxHeads     = 1000             // that are being read, or were lately
	maxHeadsOf   = 100              // of these for one client: what one job can name
	headMissed   = 30 * time.Second // until one that did not come, or is another client's, is read again
	headFound    = time.Second      // as long does one of the client's own count as being read
	headSize     = 512              // in memory, without its keys
)

// publicHeads are the heads that were read for requests.
type publicHeads struct {
	of     map[string]*publicHead // by batch
	oldest []string               // the order in which they came
	bytes  int
	asked  map[string]*headAsked // by batch
	open   map[string]int        // of asked, by client
}

// publicHead is what all generations of a batch have in common.
type publicHead struct {
	suite  frost.Suite
	owner  string
	madeBy [32]byte
	root   [32]byte // wire.KeyRoot
	keys   [][]byte
	size   int
}

// headAsked is a batch whose head is being read, or was lately.
type headAsked struct {
	client string // for whose job
	at     time.Time
	hold   time.Duration
}

func newPublicHeads() *publicHeads {
	return &publicHeads{of: map[string]*publicHead{}, asked: map[string]*headAsked{}, open: map[string]int{}}
}

// key is a public key of the head, nil if it has no such key.
func (h *publicHead) key(index int) *frost.Key {
	if index >= len(h.keys) {
		return nil
	}
	return &frost.Key{Suite: h.suite, PublicKey: h.keys[index]}
}

// ask reports whether a batch's head is to be read for a client's job, and notes that it is.
func (h *publicHeads) ask(batch, client string, now time.Time) bool {
	h.settle(batch, now)
	if h.asked[batch] != nil || len(h.asked) >= maxHeads || h.open[client] >= maxHeadsOf {
		return false
	}
	h.asked[batch] = &headAsked{client, now, headMissed}
	h.open[client]++
	return true
}

// settle forgets that a batch's head was asked for, once that was long enough ago.
func (h *publicHeads) settle(batch string, now time.Time) {
	a := h.asked[batch]
	if a == nil || now.Sub(a.at).Abs() < a.hold {
		return
	}
	delete(h.asked, batch)
	if h.open[a.client]--; h.open[a.client] == 0 {
		delete(h.open, a.client)
	}
}

func (h *publicHeads) expire(now time.Time) {
	for batch := range h.asked {
		h.settle(batch, now)
	}
}

// put keeps a verified head that was asked for. It reports false for one of other keys than
// the batch's head that is held: then nobody knows which its keys are.
func (h *publicHeads) put(e *wire.Entry) bool {
	if old := h.of[e.ID]; old != nil {
		return old.madeBy == e.MadeBy && old.root == e.Root
	}
	a := h.asked[e.ID]
	if a == nil {
		return true
	}
	if e.Header.Client == a.client {
		a.hold = headFound
	}
	head := &publicHead{
		suite: frost.Suite(e.Header.Suite), owner: e.Header.Client, madeBy: e.MadeBy, root: e.Root, keys: e.PublicKeys(),
	}
	head.size = headSize + len(head.keys)*(24+head.suite.PublicKeySize())
	h.of[e.ID], h.bytes, h.oldest = head, h.bytes+head.size, append(h.oldest, e.ID)
	for h.bytes > maxHeadBytes {
		id := h.oldest[0]
		h.bytes -= h.of[id].size
		delete(h.of, id)
		h.oldest = h.oldest[1:]
	}
	return true
}
