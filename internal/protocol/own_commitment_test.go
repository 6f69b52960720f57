package protocol

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// N4: the first commitment in the node's slot is of its own keys and not of this
// process. It answers it with nothing, whatever set comes about.
func TestN4OtherOwnCommitment(t *testing.T) {
	for _, chain := range []string{"bitcoin", "solana"} {
		f := agedFleet(t)
		batch := map[string]string{"bitcoin": f.btc, "solana": f.sol}[chain]
		s := newSession(t, f, "alice", nil, item(batch, 0, "one"), item(batch, 1, "two"))
		s.deliver()
		twin := s.twin(0)
		theirs := twin.want(wire.SlotCommit)
		s.at(0).out = nil
		s.say(theirs.slot, theirs.body)
		equal(t, chain+": phase", s.phase(0), signOut)
		s.release(1, wire.SlotCommit)
		equal(t, chain+": wants", len(s.at(0).out), 0)
	}
}

// A message with the node's own points that the node did not seal is junk to it, as
// it is to everybody else. (Its own points and nonces, once published, are known.)
func TestN4JunkWithOwnPoints(t *testing.T) {
	s := begun(t)
	me := s.at(0)
	w := me.want(wire.SlotCommit)
	sealed := s.sessions[w.slot.Node].Seal(s.m, w.slot.String(), w.body)
	me.do(Sealed{w.slot, sealed})
	var e wire.Envelope
	s.check(wire.Decode(sealed, wire.MaxMessageSize, &e))
	e.Signature = bytes.Clone(e.Signature)
	e.Signature[0] ^= 1
	s.post(w.slot.String(), wire.Encode(&e))
	if me.signer.sessions[s.id].commits.has(w.slot.Node) {
		t.Error("a commitment whose seal is broken counts, and with others it does not")
	}
	s.post(w.slot.String(), sealed)
	if !me.signer.sessions[s.id].commits.has(w.slot.Node) {
		t.Error("the own commitment does not count")
	}
}

// A share that answers another set, as the broker may have shown its node, is no
// fault of that node and no share of this set: its node counts as missing.
func TestShareForAnotherSet(t *testing.T) {
	s := newSignCase(t)
	members := s.members()
	w := s.nodes[members[0]].want(wire.SlotShare)
	var b wire.ShareBody
	s.check(wire.Decode(w.body, wire.MaxMessageSize, &b))
	b.Set[0] ^= 1
	b.Shares[9] ^= 1
	s.say(w.slot, wire.Encode(&b))
	s.let(members[1], wire.SlotShare)
	s.desk.timeout(timerLate)
	j := s.attempt().job
	equal(t, "blamed", len(s.desk.met(j).bad), 0)
	equal(t, "missing", fmt.Sprint(slices.Collect(maps.Keys(s.desk.met(j).missing))), fmt.Sprint([]int{members[0]}))
}
