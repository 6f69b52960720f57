package protocol

import (
	"maps"
	"slices"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// When a node begins the attempts at a part.

// pace begins an attempt, or has it wait for its time. It is kept then, however many
// there are: WORK shows a task once, and another gateway that comes to this attempt
// finds it there.
func (n *dealer) pace(e taskOpened) []Effect {
	id := partID{e.header.Digest, e.header.Part}
	p := n.parts[id]
	if p == nil {
		p = &part{client: e.task.Job.Client, job: e.job, trace: e.task.Job.Trace, began: n.now, waiting: map[uint32]waitingAttempt{}}
		if len(n.parts) < maxParts {
			n.parts[id] = p
		} // else what has to wait is lost
	}
	if e.message.Time.Before(p.began) { // a node that starts reads old tasks
		p.began = e.message.Time
	}
	if n.now.Before(p.began.Add(attemptDue(e.header.Attempt))) {
		p.waiting[e.header.Attempt] = waitingAttempt{e.gateway, e.task.Form}
		return nil
	}
	return n.start(e.header, p, e.task.Form)
}

// due begins the attempts whose time has come.
func (n *dealer) due() (effects []Effect) {
	var waiting []partID
	for id, p := range n.parts {
		if n.checkExpiry(p.job) != nil {
			delete(n.parts, id)
		} else if len(p.waiting) > 0 {
			waiting = append(waiting, id)
		}
	}
	slices.SortFunc(waiting, partID.compare)
	for _, id := range waiting {
		p := n.parts[id]
		for _, attempt := range slices.Sorted(maps.Keys(p.waiting)) {
			if n.now.Before(p.began.Add(attemptDue(attempt))) {
				break
			}
			form := p.waiting[attempt].form
			delete(p.waiting, attempt)
			header := p.job.PartHeader(n.cfg.Manifest, p.client, id.digest, int(id.part), int(attempt))
			effects = append(effects, n.start(&header, p, form)...)
		}
	}
	return effects
}

// disownWaiting drops what waits of a client, or by a gateway, that a list takes away.
func (n *dealer) disownWaiting(access, before *wire.Access) {
	revoked := access.RevokedNode(n.cfg.Manifest) >= 0
	for _, p := range n.parts {
		gone := revoked || !access.StillAllows(before, p.client, wire.KindKeygen)
		maps.DeleteFunc(p.waiting, func(_ uint32, by waitingAttempt) bool {
			return gone || !access.StillHears(before, by.gateway)
		})
	}
}
