package protocol

import (
	"github.com/frostfleet/frostfleet/internal/wire"
	"slices"
	"testing"
)

// Who is no member of the set can't end an attempt with a malformed share.
func TestMalformedShareOfABystander(t *testing.T) {
	s := newSignCase(t)
	a, members := s.attempt(), s.members()
	for i := range s.nodes {
		if !slices.Contains(members, i) {
			s.say(wire.Slot{Kind: wire.SlotShare, ID: a.id, Node: i}, []byte("x"))
		}
	}
	if s.attempt() != a {
		t.Fatal("the attempt was ended by a bystander")
	}
	s.drain()
	s.done(1)
}

// A malformed share that comes before its node is in the set: the set can't
// finish, and the next attempt does not wait for a timer.
func TestMalformedShareBeforeTheSet(t *testing.T) {
	s := newSignCase(t)
	a := s.attempt()
	for i, n := range s.nodes {
		if len(n.out) > 0 {
			s.say(wire.Slot{Kind: wire.SlotShare, ID: a.id, Node: i}, []byte("x"))
			break
		}
	}
	if s.attempt() != a {
		t.Fatal("ended before there was a set")
	}
	s.drain()
	s.done(2)
}

// One malicious node, whatever it publishes in every attempt, does not keep
// the others from signing.
func TestOneNodeCannotStopSigning(t *testing.T) {
	for name, speak := range map[string]func(s *signCase, a *attempt){
		"malformed shares": func(s *signCase, a *attempt) { s.say(wire.Slot{Kind: wire.SlotShare, ID: a.id, Node: 3}, []byte("x")) },
		"bad commitments": func(s *signCase, a *attempt) {
			points := make([]byte, len(a.items)*128)
			s.say(wire.Slot{Kind: wire.SlotCommit, ID: a.id, Node: 3}, wire.Encode(&wire.CommitBody{Session: a.session, Points: points, Attestation: s.attestOne(3, wire.CommitLeaf(s.m, a.session, 3, points))}))
		},
		"refusals": func(s *signCase, a *attempt) {
			s.say(wire.Slot{Kind: wire.SlotRefuse, ID: a.id, Node: 3}, wire.Encode(&wire.Complaint{Session: a.session, Code: wire.CodeNotOwner}))
		},
		"no share": func(s *signCase, a *attempt) {},
		"false set": func(s *signCase, a *attempt) {
			s.say(wire.Slot{Kind: wire.SlotShare, ID: a.id, Node: 3}, wire.Encode(&wire.ShareBody{Session: a.session, Shares: make([]byte, len(a.items)*32)}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := agedFleet(t)
			s := &signCase{f, f.signing(9, "alice", item(f.btc, 0, "one"), item(f.btc, 1, "two"))}
			s.nodes[3].mute = []wire.SlotKind{wire.SlotShare, wire.SlotRefuse}
			if name == "bad commitments" {
				s.nodes[3].mute = append(s.nodes[3].mute, wire.SlotCommit)
			}
			s.spoil = func() { speak(s, s.attempt()) } // before any honest node answers
			s.desk.arrive(s.job, nil)
			for rounds := 0; len(s.desk.finished) == 0 && rounds < 20; rounds++ {
				s.drain()
				for _, a := range s.nodes { // the second rank looks whether it is needed
					for _, timer := range a.timers {
						a.do(timer)
					}
					a.timers = nil
				}
				s.drain()
				if len(s.desk.finished) == 0 {
					s.desk.timeout(timerLate)
				}
			}
			if r := s.desk.result(); r.Status != wire.StatusDone || r.Attempts > 3 {
				t.Errorf("after %d attempts: %s: %s", r.Attempts, r.Code, r.Error)
			}
		})
	}
}
