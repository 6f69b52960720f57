package wire

import (
	"crypto/ed25519"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// with is the fleet's access list with revocations.
func (f *fleet) with(r Revoked) *Access {
	var clients []Client
	for _, name := range slices.Sorted(maps.Keys(clientKinds)) {
		public := f.clients[name].Public().(ed25519.PublicKey)
		clients = append(clients, Client{Name: name, Key: public, Kinds: clientKinds[name]})
	}
	gateways := map[string]ed25519.PublicKey{"gw": f.gateway.Public().(ed25519.PublicKey)}
	return must(NewAccess(clients, gateways, r))
}

// Whoever is revoked is not heard any more, at once; everybody else is, and what
// the log says stays said.
func TestRevocation(t *testing.T) {
	f := newFleet(t, 2, 3)
	old, fresh := f.sessions[1], f.session(1)
	for name, test := range map[string]struct {
		revoked                   Revoked
		oldKey, freshKey, node2   bool
		gateway, anyNodeIsRevoked bool
	}{
		"nobody":                  {Revoked{}, true, true, true, true, false},
		"node 1":                  {Revoked{Nodes: []int{1}}, false, false, true, true, true},
		"node 1 by its key":       {Revoked{Identities: [][]byte{f.m.Nodes[1].Identity}}, false, false, true, true, true},
		"nodes 1 and 2":           {Revoked{Nodes: []int{2, 1}}, false, false, false, true, true},
		"a session key of node 1": {Revoked{SessionKeys: [][]byte{old.Public()}}, false, true, true, true, false},
		"both its session keys":   {Revoked{SessionKeys: [][]byte{old.Public(), fresh.Public()}}, false, false, true, true, false},
		"the gateway":             {Revoked{Gateways: []string{"gw"}}, true, true, true, false, false},
		"others": {Revoked{Nodes: []int{7}, Identities: [][]byte{{4}}, SessionKeys: [][]byte{{1}},
			Gateways: []string{"x"}}, true, true, true, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := NewOpener(f.m, f.access)
			subject := strings.Replace(subject0, "deal.0", "deal.1", 1)
			subject2 := strings.Replace(subject0, "deal.0", "deal.2", 1)
			byOld, byFresh := old.Seal(f.m, subject, nil), fresh.Seal(f.m, subject, nil)
			by2, task := f.sessions[2].Seal(f.m, subject2, nil), SealGateway(f.gateway, "gw", f.m, "work.x", nil)
			if _, err := o.FromNode(1, storedAt(subject, t0, byOld)); err != nil { // it is remembered now
				t.Fatal(err)
			}
			o.SetAccess(f.with(test.revoked))
			open := func(node int, subject string, data []byte) bool {
				_, err := o.FromNode(node, storedAt(subject, t0, data))
				if err != nil && !errors.Is(err, errRevoked) {
					t.Error(err)
				}
				_, claimed := o.ClaimedBody(node, storedAt("", t0, data))
				if (claimed == nil) != (err == nil) {
					t.Errorf("ClaimedBody says %v, FromNode %v", claimed, err)
				}
				if _, round := o.FromRound(node, storedAt(subject, t0, data)); (round == nil) != (err == nil) {
					t.Errorf("FromRound says %v, FromNode %v", round, err)
				}
				return err == nil
			}
			equal(t, "old session key", open(1, subject, byOld), test.oldKey)
			equal(t, "fresh session key", open(1, subject, byFresh), test.freshKey)
			equal(t, "node 2", open(2, subject2, by2), test.node2)
			_, err := o.FromGateway("work.x", task)
			equal(t, "gateway", err == nil, test.gateway)
			result := ed25519.Sign(f.gateway, ResultSigningInput(f.m, "alice", jobID(1), nil))
			err = o.access.VerifyResult(f.m, "gw", "alice", jobID(1), nil, result)
			equal(t, "result", err == nil, test.gateway)
			equal(t, "RevokedNode", o.access.RevokedNode(f.m) >= 0, test.anyNodeIsRevoked)
		})
	}
}

// A list that was read again says what changed, and whether that takes something away.
func TestAccessChanges(t *testing.T) {
	f := newFleet(t, 1, 1)
	key := func(i byte) ed25519.PublicKey {
		return ed25519.NewKeyFromSeed(append(make([]byte, 31), i)).Public().(ed25519.PublicKey)
	}
	list := func(clients []Client, gateways map[string]ed25519.PublicKey, r Revoked) *Access {
		return must(NewAccess(clients, gateways, r))
	}
	base := list([]Client{{"a", key(1), Kinds}, {"b", key(2), Kinds[:1]}}, map[string]ed25519.PublicKey{"g": key(3)},
		Revoked{Nodes: []int{1}})
	next := list([]Client{{"a", key(1), Kinds[1:]}, {"b", key(9), Kinds}, {"c", key(4), Kinds}},
		map[string]ed25519.PublicKey{"h": key(5)},
		Revoked{SessionKeys: [][]byte{{0xab}}, Identities: [][]byte{{4}}, Gateways: []string{"g"}})
	want := []AccessChange{
		{"client a may not publish keygen jobs any more", true},
		{"client b has another key: " + Fingerprint(key(9)) + " in the place of " + Fingerprint(key(2)), true},
		{"client b may publish sign jobs", false},
		{"client c was added", false}, {"gateway g was removed", true}, {"gateway h was added", false},
		{"the node with the identity key 04 was revoked", true}, {"the session key ab was revoked", true},
		{"gateway g was revoked", true}, {"node 1 is revoked no more", false},
	}
	if got := next.Changes(base); !slices.Equal(got, want) {
		t.Errorf("changes %v\nwant %v", got, want)
	}
	if got := base.Changes(base); len(got) != 0 {
		t.Errorf("a list differs from itself: %v", got)
	}
	if got := f.access.Changes(nil); len(got) != 4 || got[0].TakesAway {
		t.Errorf("the first list: %v", got)
	}
}

// A message of a live stream counts only near the reader's own clock, so that a key
// that ended long ago says nothing, whatever time the bus gives its message.
func TestLiveMessagesAreJudgedByTheOwnClock(t *testing.T) {
	f := newFleet(t, 2, 3)
	data := f.sessions[0].Seal(f.m, subject0, nil)
	for ahead, counts := range map[time.Duration]bool{
		0: true, LiveAge: true, LiveAge + ClockSkew: true, -LiveAge - ClockSkew: true,
		LiveAge + ClockSkew + time.Second: false, -LiveAge - ClockSkew - time.Second: false,
		24 * time.Hour: false, 3 * 365 * 24 * time.Hour: false, -time.Hour: false,
	} {
		o := NewOpener(f.m, f.access)
		o.SetTime(t0.Add(ahead))
		_, err := o.FromNode(0, storedAt(subject0, t0, data))
		if (err == nil) != counts || !counts && !errors.Is(err, errTime) {
			t.Errorf("clock %s ahead of the stream's time: %v", ahead, err)
		}
		if _, err := o.ClaimedBody(0, storedAt("", t0, data)); (err == nil) != counts {
			t.Errorf("own message, clock %s ahead: %v", ahead, err)
		}
		if _, err := o.FromRound(0, storedAt(subject0, t0, data)); err != nil {
			t.Errorf("rounds are judged by the time of their storing: %v", err)
		}
	}
}

// A replaced session key signs nothing more.
func TestWipedSessionKey(t *testing.T) {
	f := newFleet(t, 2, 3)
	key := f.sessions[0]
	before := key.Seal(f.m, subject0, nil)
	key.Wipe()
	key.Wipe()
	if after := key.Seal(f.m, subject0, nil); after != nil {
		t.Error("a wiped key seals")
	}
	if ed25519.Verify(key.Public(), nil, key.sign(nil)) {
		t.Error("a wiped key's private half is still in memory")
	}
	if _, err := NewOpener(f.m, f.access).FromNode(0, storedAt(subject0, t0, before)); err != nil {
		t.Errorf("what it sealed before: %v", err)
	}
	(*SessionKey)(nil).Wipe()
}
