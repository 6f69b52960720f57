package protocol

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// lost is a fleet whose register is empty, with nodes that hold what was in it.
type lost struct {
	aged
	was   []wire.LogMessage            // in KEYS
	away  map[int]bool                 // nodes that say nothing
	lies  map[int]func(*lost, AskNode) // nodes that answer as they like
	stuck bool                         // KEYS takes nothing
}

func lostRegister(t *testing.T) *lost {
	f := agedFleet(t)
	l := &lost{aged: f, was: f.keys, away: map[int]bool{}, lies: map[int]func(*lost, AskNode){}}
	f.fleet.keys = nil
	f.fleet.desk = f.newDesk()
	r := f.desk.reconciler()
	r.started = false
	for _, p := range r.peers {
		p.settled, p.next = false, time.Time{}
	}
	return l
}

// tick lets a second pass, and everybody answer.
func (l *lost) tick() {
	l.fleet.now = l.now.Add(time.Second)
	l.desk.do(Tick{l.now})
	l.settle()
}

func (l *lost) ticks(n int) {
	for range n {
		l.tick()
	}
}

func (l *lost) settle() {
	for len(l.desk.asks)+len(l.desk.restores) > 0 && !l.stuck {
		for len(l.desk.asks) > 0 {
			e := l.desk.asks[0]
			l.desk.asks = l.desk.asks[1:]
			if lie := l.lies[e.Node]; lie != nil {
				lie(l, e)
				continue
			}
			l.answer(e)
		}
		for len(l.desk.restores) > 0 {
			e := l.desk.restores[0]
			l.desk.restores = l.desk.restores[1:]
			l.write(WriteEntry{ID: e.Holding.ID(), Head: e.Head, Deals: e.Deals})
			l.desk.do(EntryRestored{Holding: e.Holding})
		}
	}
}

func (l *lost) say(e AskNode, h *wire.Held, err error) {
	l.desk.do(ReadHeld(l.m, e, h, err))
}

// answer is what an honest node says.
func (l *lost) answer(e AskNode) {
	if l.away[e.Node] {
		l.say(e, nil, context.DeadlineExceeded)
		return
	}
	h := l.nodes[e.Node].Holdings().Answer(&e.Ask)
	if h == nil {
		h = l.entry(e.Ask)
	}
	l.say(e, h, nil)
}

func (l *lost) entry(a wire.Ask) *wire.Held {
	subject := wire.EntryHeadSubject(a.Holding.ID(), 0)
	if a.Kind == wire.AskDeal {
		subject = wire.EntryDealSubject(a.Holding.ID(), 0, int(a.Deal))
	}
	h := &wire.Held{Version: wire.HoldingsVersion, Kind: a.Kind, Number: a.Number}
	for _, m := range l.was {
		if m.Subject == subject {
			h.Data = m.Data
		}
	}
	return h
}

// claims is a liar that says it holds n batches, and what it says when it is asked for
// one.
func claims(proof func(*lost, AskNode), made ...wire.Holding) func(*lost, AskNode) {
	set := &board.Holdings{}
	for _, one := range made {
		set.Add(one)
	}
	return func(l *lost, e AskNode) {
		if h := set.Answer(&e.Ask); h != nil {
			l.say(e, h, nil)
			return
		}
		proof(l, e)
	}
}

func fake(n int) wire.Holding {
	return wire.NewHolding(fmt.Sprintf("%02x%030x", n%256, n), [32]byte{byte(n)})
}

func fakes(n int) (all []wire.Holding) {
	for i := range n {
		all = append(all, fake(i+1))
	}
	return all
}

func junk(l *lost, e AskNode) {
	l.say(e, &wire.Held{Version: wire.HoldingsVersion, Kind: e.Ask.Kind, Number: e.Ask.Number, Data: []byte("junk")}, nil)
}
func silence(l *lost, e AskNode) { l.say(e, nil, context.DeadlineExceeded) }

// One node's copy brings everything back, whatever the others say.
func TestRestore(t *testing.T) {
	for name, others := range map[string]func(*lost){
		"all are there": func(*lost) {},
		"one is left":   func(l *lost) { l.away = map[int]bool{0: true, 1: true, 2: true} },
		"one is left beside liars": func(l *lost) {
			l.lies[0], l.lies[1] = claims(junk, fakes(500)...), claims(silence, fakes(500)...)
			l.lies[2] = claims(silence, wire.NewHolding(l.btc, [32]byte{1})) // squats the id
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := lostRegister(t)
			others(l)
			for i := 0; l.desk.Keys() < 5 && i < 120; i++ {
				l.tick()
			}
			equal(t, "keys", l.desk.Keys(), 5)
			equal(t, "messages in KEYS", len(l.keys), len(l.was))
			l.ticks(30)
			equal(t, "restored", l.desk.counted(ReportRestored), 3)
		})
	}
}

func (d *desk) counted(kind ReportKind) (n int) {
	for _, r := range d.reports {
		if r.What == kind {
			n++
		}
	}
	return n
}

// While KEYS lacks a key that a node holds, its job waits, and ends with
// register_incomplete: never as unknown. Once KEYS has it the job is done.
func TestJobWaitsForTheRegister(t *testing.T) {
	for _, comes := range []bool{true, false} {
		l := lostRegister(t)
		l.stuck = true
		job := l.signing(9, "alice", item(l.btc, 0, "a"))
		l.desk.arrive(job, nil)
		look := func() {
			l.tick()
			for range loadRetries {
				if l.desk.timers != nil && len(l.desk.finished) == 0 && len(l.desk.tasks) == 0 {
					l.desk.timeout(timerLoad)
				}
			}
		}
		for range 30 {
			look()
		}
		equal(t, "answers before anybody was compared", len(l.desk.finished), 0)
		l.stuck = false
		if !comes {
			for i := range l.m.N {
				own, real := l.nodes[i].Holdings(), l
				l.lies[i] = func(l *lost, e AskNode) {
					if h := own.Answer(&e.Ask); h != nil {
						real.say(e, h, nil)
					} // and the proof is on its way for ever
				}
			}
		}
		for range 20 {
			look()
		}
		if comes {
			l.drain()
			equal(t, "answers", len(l.desk.finished), 1)
			equal(t, "status", l.desk.finished[0].Result.Status, wire.StatusDone)
			continue
		}
		equal(t, "answers while a node holds it", len(l.desk.finished), 0)
		l.fleet.now = l.now.Add(11 * time.Minute)
		l.desk.do(Tick{l.now})
		equal(t, "answers after it expired", len(l.desk.finished), 1)
		equal(t, "code", l.desk.finished[0].Result.Code, wire.CodeRegisterIncomplete)
	}
}

// A gateway and its nodes start together, and KEYS is lost: a job for a key that the nodes hold
// waits for them, and is done.
func TestJobWaitsForNodesThatStart(t *testing.T) {
	l := lostRegister(t)
	l.away = map[int]bool{0: true, 1: true, 2: true, 3: true}
	l.desk.arrive(l.signing(9, "alice", item(l.btc, 0, "a")), nil)
	look := func(n int) {
		for range n {
			l.tick()
			for range loadRetries {
				if l.desk.timers != nil && len(l.desk.finished) == 0 && len(l.desk.tasks) == 0 {
					l.desk.timeout(timerLoad)
				}
			}
		}
	}
	look(5)
	equal(t, "answers before anybody was there", len(l.desk.finished), 0)
	l.away = nil
	look(10)
	l.drain()
	equal(t, "answers", len(l.desk.finished), 1)
	equal(t, "status", l.desk.finished[0].Result.Status, wire.StatusDone)
}

// A key that nobody claims is unknown as soon as present nodes were compared and absent ones
// were asked some times, and one that liars claim once they did not prove it, within minutes: their claims hold up
// nobody for ever.
func TestUnknownDespiteLiars(t *testing.T) {
	id := fake(7).ID()
	for name, c := range map[string]struct {
		lie    func(*lost, AskNode)
		within int // seconds
	}{
		"nobody there":       {silence, 8},
		"holds nothing":      {claims(silence), 2},
		"proves junk":        {claims(junk, fakes(10)...), 300},
		"proves nothing":     {claims(silence, fakes(10)...), 300},
		"claims very much":   {claims(silence, fakes(1<<16)...), 300},
		"lists without end":  {endless, 300},
		"answers each after": {claims(notHeld, fakes(10)...), 300},
		"never lists":        {neverLists, 8},
	} {
		t.Run(name, func(t *testing.T) {
			l := lostRegister(t)
			for i := range l.m.N {
				l.lies[i] = c.lie
			}
			l.desk.arrive(l.signing(9, "alice", wire.JobItem{Key: id + ".0", Message: make([]byte, 32)}), nil)
			for i := 0; len(l.desk.finished) == 0; i++ {
				if i > c.within {
					t.Fatalf("no answer after %d s", i)
				}
				l.tick()
				for range loadRetries {
					if len(l.desk.finished) == 0 {
						l.desk.timeout(timerLoad)
					}
				}
			}
			equal(t, "code", l.desk.result().Code, wire.CodeUnknownKey)
			for i := 0; len(l.desk.Register().Waiting) != 0; i++ {
				if l.tick(); i > 300 {
					t.Fatalf("still waits for nodes %v", l.desk.Register().Waiting)
				}
			}
			if n := len(l.desk.reconciler().claims); n > 2*allClaims {
				t.Errorf("%d claims are remembered", n)
			}
		})
	}
}

// neverLists says that it holds other batches, and never which.
func neverLists(l *lost, e AskNode) {
	if e.Ask.Kind != wire.AskDigests {
		silence(l, e)
		return
	}
	claims(silence, fakes(10)...)(l, e)
}

func notHeld(l *lost, e AskNode) {
	l.say(e, &wire.Held{Version: wire.HoldingsVersion, Kind: e.Ask.Kind, Number: e.Ask.Number}, nil)
}

// endless lists one batch at a time, and always says that there are more.
func endless(l *lost, e AskNode) {
	h := &wire.Held{Version: wire.HoldingsVersion, Kind: e.Ask.Kind, Number: e.Ask.Number}
	switch e.Ask.Kind {
	case wire.AskDigests:
		h.Data = make([]byte, 256*16)
	case wire.AskList:
		one := e.Ask.Holding
		one[31]++
		h.Data, h.More = one[:], true
	}
	l.say(e, h, nil)
}

// What a node answers to another question than was asked is no answer to this one.
func TestOtherAnswers(t *testing.T) {
	l := lostRegister(t)
	btc := l.nodes[0].Holdings()
	var of []wire.Holding
	for b := range wire.HoldingBuckets {
		of = append(of, btc.Answer(&wire.Ask{Kind: wire.AskList, Holding: wire.Holding{byte(b)}}).List()...)
	}
	equal(t, "held", len(of), 3)
	head := func(one wire.Holding) *wire.Held { return l.entry(wire.Ask{Kind: wire.AskHead, Holding: one}) }
	for name, c := range map[string]struct {
		ask  wire.Ask
		held *wire.Held
	}{
		"another batch's head": {wire.Ask{Kind: wire.AskHead, Holding: of[0]}, head(of[1])},
		"no head":              {wire.Ask{Kind: wire.AskHead, Holding: of[0]}, head(fake(1))},
		"another number":       {wire.Ask{Kind: wire.AskHead, Holding: of[0], Number: 1}, head(of[0])},
		"another kind":         {wire.Ask{Kind: wire.AskDeal, Holding: of[0]}, head(of[0])},
		"another bucket's list": {
			wire.Ask{Kind: wire.AskList, Holding: wire.Holding{^of[0][0]}},
			&wire.Held{Kind: wire.AskList, Data: of[0][:]},
		},
		"a list of what was listed": {
			wire.Ask{Kind: wire.AskList, Holding: of[0]}, &wire.Held{Kind: wire.AskList, Data: of[0][:]},
		},
	} {
		if e := ReadHeld(l.m, AskNode{l.m, 0, c.ask}, c.held, nil); e.Err == nil || !e.Junk() {
			t.Errorf("%s is taken", name)
		}
	}
	if e := ReadHeld(l.m, AskNode{l.m, 0, wire.Ask{Kind: wire.AskHead, Holding: of[0]}}, head(of[0]), nil); e.Err != nil {
		t.Error(e.Err)
	}
}

// A deal that the head does not name ends the proof, and the next node gives the true one.
func TestFalseDeal(t *testing.T) {
	l := lostRegister(t)
	l.lies[0] = func(l *lost, e AskNode) {
		if e.Ask.Kind == wire.AskDeal {
			junk(l, e)
			return
		}
		l.answer(e)
	}
	l.ticks(20)
	equal(t, "keys", l.desk.Keys(), 5)
	equal(t, "messages in KEYS", len(l.keys), len(l.was))
	if l.desk.counted(ReportUnproven) == 0 {
		t.Error("the node is not named")
	}
}

// Readiness says with whom the gateway has not compared, and does not come and go.
func TestReconciled(t *testing.T) {
	l := lostRegister(t)
	l.stuck = true
	l.tick()
	if got := l.desk.Register().Waiting; !slices.Equal(got, []int{0, 1, 2, 3}) {
		t.Errorf("waits for %v before anybody answered", got)
	}
	l.stuck = false
	l.away[2] = true
	l.ticks(3)
	if got := l.desk.Register(); len(got.Waiting) != 0 || got.Missing != 0 {
		t.Errorf("%+v after all came back", got)
	}
	l.desk.reports = nil
	l.away[2] = false
	l.lies[2] = claims(silence, fakes(3)...)
	l.ticks(15)
	if got := l.desk.Register(); !slices.Equal(got.Waiting, []int{2}) || got.Missing != 3 {
		t.Errorf("%+v while a new node claims three batches", got)
	}
	if !strings.Contains(fmt.Sprint(l.desk.reports), "3 batches are missing") {
		t.Errorf("nothing is said of it: %v", l.desk.reports)
	}
}

// A second valid entry that a node holds refuses the batch.
func TestConflictingHolding(t *testing.T) {
	f := agedFleet(t)
	one := f.desk.directory.finished[f.btc]
	r := f.desk.reconciler()
	of := func(transcript, root [32]byte) *wire.Entry {
		return &wire.Entry{ID: f.btc, Transcript: transcript, MadeBy: one.madeBy, Root: root}
	}
	e := of([32]byte{1}, one.root)
	if !r.keys.hasOther(e) || !r.keys.hasOther(of(one.transcript, [32]byte{1})) || r.keys.hasOther(of(one.transcript, one.root)) {
		t.Fatal("other entries are not told apart")
	}
	r.keys.refuse(e)
	equal(t, "refused", f.desk.directory.register.Refused(f.btc), true)
	equal(t, "keys", f.desk.Keys(), 3)
}

// An entry may stand in KEYS where this gateway read on, as a damaged copy led then: KEYS
// takes a node's copy for what it has, and shows nothing new. The gateway reads the entry
// by its subjects, and if that shows nothing, writes it again later.
func TestRestoredIsReadAgain(t *testing.T) {
	l := lostRegister(t)
	id := l.btc
	written := 0
	quiet := func() {
		for len(l.desk.asks)+len(l.desk.restores) > 0 {
			for ; len(l.desk.asks) > 0; l.desk.asks = l.desk.asks[1:] {
				l.answer(l.desk.asks[0])
			}
			for ; len(l.desk.restores) > 0; l.desk.restores = l.desk.restores[1:] {
				if e := l.desk.restores[0]; e.Holding.ID() != id {
					l.write(WriteEntry{ID: e.Holding.ID(), Head: e.Head, Deals: e.Deals})
				} else {
					written++
				}
				l.desk.do(EntryRestored{Holding: l.desk.restores[0].Holding})
			}
		}
	}
	tick := func(n int) {
		for range n {
			l.fleet.now = l.now.Add(time.Second)
			l.desk.do(Tick{l.now})
			quiet()
		}
	}
	tick(30)
	equal(t, "looked at in KEYS", slices.Contains(l.desk.fetch, id), true)
	equal(t, "written", written, 1)
	tick(120)
	if written < 2 {
		t.Error("it was not written again")
	}
	for _, m := range l.was {
		if strings.Contains(m.Subject, id) {
			l.desk.do(ReadKeysAgain(l.m, m))
		}
	}
	l.desk.do(Tick{l.now})
	equal(t, "missing", l.desk.Register().Missing, 0)
	equal(t, "keys", l.desk.Keys(), 5)
}
