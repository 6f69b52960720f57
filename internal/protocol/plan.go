package protocol

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// plan is which batches are to move, and which of them this gateway moves.
type plan struct {
	self      string
	most      int // batches in work at a time
	traffic   *traffic
	views     *views
	directory *directory
	pace      *wire.Pace
	began     time.Time            // when keys began to move, or this gateway
	active    map[string]time.Time // when other gateways were seen to move a batch last
	queue     []string             // batches of this gateway, ascending
	looked    time.Time            // when the queue was made
	pause     time.Time            // until then nothing begins while jobs wait for signatures
}

const (
	// takeOver is after how long without an attempt another gateway's batches are moved too.
	takeOver = registerWait
	// longestPause is after a batch, for as long as it took, while jobs wait for signatures.
	longestPause = 5 * time.Second
	// lookForMoves is how often a queue that has run empty is made anew.
	lookForMoves = 3 * time.Second
)

// target is the view that keys move to, and its place; false: none do.
func (p *plan) target() (v *view, at int, ok bool) {
	if p.pace == nil || p.views.lineage.Fork() != nil {
		return nil, 0, false
	}
	v = p.views.of([32]byte(p.pace.Manifest))
	at = slices.Index(p.views.chain, v)
	return v, at, at > 0
}

// blocked is why no attempt begins; "": one may, or there is nothing to begin.
func (p *plan) blocked() string {
	target, at, ok := p.target()
	switch {
	case p.views.lineage.Fork() != nil:
		return p.views.lineage.Fork().Error()
	case p.pace == nil && len(p.views.chain) < 2:
		return "" // there is nowhere to go, and nothing in the way
	case p.pace == nil:
		return "nobody said that keys are to move"
	case !ok:
		return fmt.Sprintf("manifest %x does not follow one that this gateway goes by", p.pace.Manifest[:8])
	case !p.pace.Run:
		return "paused"
	case !p.directory.complete:
		return "this gateway still reads KEYS"
	}
	for _, v := range p.views.chain[1 : at+1] {
		if why := p.notReady(v); why != "" && (v == target || v.batches > 0) {
			return why
		}
	}
	return ""
}

// notReady is why a manifest's nodes can't take keys now: it takes them all.
func (p *plan) notReady(v *view) string {
	for i := range v.manifest.N {
		switch {
		case p.views.access.RevokesNode(v.manifest, i):
			return fmt.Sprintf("node %d%s is revoked in the access list: the fleet needs another manifest", i, v.named())
		case v.presence.nodes[i].absent:
			return fmt.Sprintf("node %d%s is not heard", i, v.named())
		}
	}
	return ""
}

// leaves reports whether a batch is one that is to move, and to whom.
func (p *plan) leaves(f *finishedBatch) (next *view, ok bool) {
	_, at, ok := p.target()
	if f == nil || !ok || slices.Index(p.views.chain, f.view) >= at {
		return nil, false
	}
	next = p.views.after(f.view)
	return next, p.notReady(next) == ""
}

// next takes the batch that is moved next; nil: none now. free tells those that may be.
func (p *plan) next(free func(id string) bool) *finishedBatch {
	if len(p.queue) == 0 && (p.looked.IsZero() || p.views.now.Sub(p.looked) >= lookForMoves) {
		p.look()
	}
	for i := 0; i < len(p.queue); {
		id := p.queue[i]
		f := p.directory.finished[id]
		if _, ok := p.leaves(f); ok && !free(id) { // it rests
			i++
			continue
		}
		if i == 0 { // as a rule, and there may be very many
			p.queue = p.queue[1:]
		} else {
			p.queue = slices.Delete(p.queue, i, i+1)
		}
		if _, ok := p.leaves(f); ok {
			return f
		}
	}
	return nil
}

// look makes the queue: what is this gateway's, and what another one does not get on with.
func (p *plan) look() {
	p.looked = p.views.now
	gateways := p.views.presence.others()
	for id, f := range p.directory.finished {
		if _, ok := p.leaves(f); ok && p.mine(id, gateways) {
			p.queue = append(p.queue, id)
		}
	}
	slices.Sort(p.queue)
}

// mine reports whether a batch falls to this gateway: of those that are heard, it is the one
// whose hash with the batch is highest, or that one has not moved anything for a while.
func (p *plan) mine(id string, gateways []string) bool {
	owner, highest := p.self, rendezvous(id, p.self)
	for _, name := range gateways {
		if hash := rendezvous(id, name); bytes.Compare(hash[:], highest[:]) > 0 {
			owner, highest = name, hash
		}
	}
	return owner == p.self || p.views.now.Sub(later(p.active[owner], p.began)) > takeOver
}

func rendezvous(id, gateway string) [32]byte { return sha256.Sum256([]byte(id + " " + gateway)) }

// Resharing is how far keys have moved to another manifest.
type Resharing struct {
	Manifest [32]byte // that they move to; zero: to none
	Run      bool     // false: paused, or to none
	Moved    int      // keys that its nodes have
	Left     int      // that those of manifests before it have
	InFlight int      // batches that this gateway moves now
	Blocked  string   // why it begins with no other one; "": nothing keeps it
}

func (p *plan) state() Resharing {
	s := Resharing{Blocked: p.blocked()}
	target, at, ok := p.target()
	if !ok {
		return s
	}
	s.Manifest, s.Run, s.Moved = target.manifest.Hash(), p.pace.Run, target.keys
	for _, v := range p.views.chain[:at] {
		s.Left += v.keys
	}
	return s
}
