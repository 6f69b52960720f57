package protocol

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What reaches a node's sessions from outside.

// Bounds on what is remembered of sessions.
const (
	maxEarlyBytes = 64 << 20
	overLife      = 10 * time.Second // of a session that needs nothing more: 800 bytes each
)

func newSigner(core *nodeCore) *signer {
	return &signer{
		nodeCore: core, sessions: map[string]*signing{},
		finished: newFinishedSessions(maxFinished), early: newEarlyMessages(maxEarlyBytes),
		branches: derive.NewCache(maxBranches),
		judge:    judge{policy: core.cfg.Policy, ledger: core.cfg.Ledger, tallies: map[string]*tally{}, most: maxOwed},
	}
}

// onMessage takes a message of SIGN. Those of a session whose task has not come yet
// wait for it.
func (n *signer) onMessage(msg wire.LogMessage) []Effect {
	slot, err := wire.ParseSlot(msg.Subject)
	if err != nil || !slot.Kind.Signing() || slot.Node >= n.cfg.Manifest.N {
		return nil
	}
	if s := n.sessions[slot.ID]; s != nil {
		return s.onLog(slot, msg)
	}
	if !n.finished.has(slot.ID) {
		n.early.put(slot, msg)
	}
	return nil
}

// start begins a signing task.
func (n *signer) start(e taskOpened) []Effect {
	r, exclude := e.request, e.task.Exclude
	id := wire.ShortID(r.session)
	if n.finished.has(id) || n.sessions[id] != nil {
		return nil // a session is begun once in a process, however often its task is shown
	}
	atOnce := n.cfg.Manifest.N - n.cfg.Manifest.T + someAttempts
	if !n.rate.take(jobOf{jobKey(r.client, e.job.ID), e.gateway}, atOnce, n.now) {
		return []Effect{droppedTask(e, "its gateway opened too many attempts of this job")}
	}
	s := &signing{
		node: n, id: id, request: r, count: len(r.which), size: r.work(), started: n.now, trace: r.trace,
		commits: commitSet{opener: n.opener, session: r.session, exclude: exclude}, waiting: n.early.take(id),
		asked: &Asked{Digest: r.digest}, debt: n.owes(r),
	}
	n.sessions[id] = s
	counted := n.payOldest()
	for _, msg := range s.waiting.messages {
		if slot, err := wire.ParseSlot(msg.Subject); err == nil {
			counted = append(counted, s.sees(slot, msg)...)
		}
	}
	if err := n.frozen().Work(r.client, r.keys); err != nil {
		return append(counted, s.refuse(err.Code, err.Reason)...)
	}
	return append(counted, s.enter(exclude)...)
}

// enter begins a session at once, later if it is needed, or not at all.
func (s *signing) enter(exclude []uint8) []Effect {
	n := s.node
	switch rank := slices.Index(ranking(s.request.session, exclude, n.cfg.Manifest.N), n.cfg.Index); {
	case rank < 0:
		return s.sitOut("excluded from this attempt")
	case rank < n.cfg.Manifest.T:
		return s.begin()
	}
	// Most sessions end without this node, so it spends nothing on them yet.
	delay := n.cfg.StandbyDelay + time.Duration(s.count)*time.Millisecond
	return []Effect{After{Delay: delay, Timer: Timer{s.id, timerStandby}}}
}

func (n *signer) onTimer(t Timer) []Effect {
	s := n.sessions[t.ID]
	switch {
	case s == nil:
		return n.tallyAgain(t.ID)
	case t.Kind == timerLoad && s.phase == signLoading:
		return []Effect{s.load()}
	case t.Kind == timerStandby && s.phase == signStandby:
		return s.begin()
	}
	return nil
}

// begin looks at what the log has of the session, and goes for the keys
// unless enough others have committed.
func (s *signing) begin() (effects []Effect) {
	if ended, over := s.over(); over {
		return ended
	}
	s.to(signLoading)
	for _, msg := range s.waiting.messages {
		if slot, err := wire.ParseSlot(msg.Subject); err == nil {
			effects = append(effects, s.onLog(slot, msg)...)
		}
	}
	s.waiting = sessionMessages{}
	switch {
	case s.phase != signLoading:
		return effects
	case s.commits.maybeValid() >= s.node.cfg.Manifest.T:
		return append(effects, s.sitOut("enough others have committed")...)
	}
	return append(effects, s.load())
}

// onSealed keeps how a message of this node goes to the log, so that it need not
// be verified when it comes back.
func (n *signer) onSealed(e Sealed) {
	if s := n.sessions[e.Slot.ID]; s != nil && e.Slot.Kind == wire.SlotCommit && s.phase == signCommitted {
		s.sealed = e.Data
	}
}

// onLost gives up every session that is not over: the messages that its signing
// set was read from are gone.
func (n *signer) onLost() (effects []Effect) {
	for _, id := range slices.Sorted(maps.Keys(n.sessions)) {
		effects = append(effects, n.sessions[id].sitOut("the SIGN stream was lost")...)
	}
	return effects
}

// onSaved lets the commitments go that waited for a state of the ledger.
func (n *signer) onSaved(e LedgerSaved) []Effect {
	effects := saving(n.judge.ledger.Saved(e.Seq))
	for _, id := range slices.Sorted(maps.Keys(n.sessions)) {
		effects = append(effects, n.sessions[id].commit()...)
	}
	return effects
}

// onPolicy puts another policy in force. What began under another one ends: nothing is
// signed any more that this one may deny.
func (n *signer) onPolicy(p *policy.Policy) []Effect {
	if n.judge.policy == nil || p == nil {
		return nil // there is no ledger, or there would be none
	}
	changed := p.Hash() != n.judge.policy.Hash()
	n.judge.policy = p
	effects := saving(n.judge.ledger.Use(p))
	for _, id := range slices.Sorted(maps.Keys(n.sessions)) {
		if changed {
			effects = append(effects, n.sessions[id].sitOut("the policy changed; the gateway begins again")...)
		}
	}
	return effects
}

// expire ends the sessions whose job is over, and forgets what has outlived its use.
func (n *signer) expire() (effects []Effect) {
	for _, id := range slices.Sorted(maps.Keys(n.sessions)) {
		s := n.sessions[id]
		ended, _ := s.over()
		effects = append(effects, ended...)
		age, over := n.now.Sub(s.started), s.phase >= signDone
		if age > sessionLife || over && age > overLife && !s.debt.counts(n.now) {
			s.drop()
			n.judge.settled(s.debt)
			delete(n.sessions, id)
			n.finished.add(id, n.now)
		}
	}
	n.finished.expire(n.now)
	n.heads.expire(n.now)
	n.rate.expire(n.now)
	n.early.expire(n.now.Add(-sessionLife))
	return effects
}

// stop wipes every nonce and share. It keeps no session, so that what still arrives
// is wiped as well.
func (n *signer) stop() {
	for _, s := range n.sessions {
		s.drop()
	}
	clear(n.sessions)
	clear(n.judge.tallies)
}

// ranking orders the nodes that take part by a hash of the session, so that load spreads: the first t, its
// leaders, commit at once.
func ranking(session [32]byte, exclude []uint8, n int) []int {
	type ranked struct {
		node int
		hash [32]byte
	}
	var all []ranked
	for i := range n {
		if !slices.Contains(exclude, uint8(i)) {
			all = append(all, ranked{i, frost.Hash("frostfleet/rank/v1", session[:], wire.Be32(i))})
		}
	}
	slices.SortFunc(all, func(a, b ranked) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	nodes := make([]int, len(all))
	for i, r := range all {
		nodes[i] = r.node
	}
	return nodes
}
