package protocol

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// The first valid deal in a dealer's slot counts, also one that came before this node worked
// on the attempt, of which it keeps nothing. So it remembers which slots had something. Of a
// deal that came after that the node can't tell whether it is the first one until it has read
// the attempt's rounds again; else a dealer that deals twice could have honest nodes certify
// different deals.

// earlyDeals are the slots of attempts that nobody worked on here when something came. Each
// dealer has a part of its own, and one that fills it makes only its own deals doubtful.
type earlyDeals map[int]*earlyOf

type earlyOf struct {
	ids   map[string]bool
	order []string  // oldest first
	lost  time.Time // when one was forgotten last
}

// maxEarly is how many slots are remembered of a dealer: one for each slice of an attempt.
const maxEarly = 1 << 10

// put notes that a slot has something.
func (e earlyDeals) put(slot wire.Slot, now time.Time) {
	of := e[slot.Node]
	if of == nil {
		of = &earlyOf{ids: map[string]bool{}}
		e[slot.Node] = of
	}
	if of.ids[slot.ID] {
		return
	}
	of.ids[slot.ID] = true
	if of.order = append(of.order, slot.ID); len(of.order) > maxEarly {
		delete(of.ids, of.order[0])
		of.order, of.lost = of.order[1:], now
	}
}

// has reports whether a slot may have had something. What was forgotten stands in the rounds for
// as long as they keep anything.
func (e earlyDeals) has(slot wire.Slot, now time.Time) bool {
	of := e[slot.Node]
	return of != nil && (of.ids[slot.ID] || !of.lost.IsZero() && now.Sub(of.lost) < boardLife)
}
