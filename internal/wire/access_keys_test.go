package wire

import (
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"testing"
)

func privateKey(i byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(append(make([]byte, 31), 0x70+i))
}

func publicKey(i byte) ed25519.PublicKey { return privateKey(i).Public().(ed25519.PublicKey) }

// rotation is the lists of a rotation: before, during, after. Key 1 is alice's, 2 bob's and 3
// the gateway's; 11 and 13 take the place of 1 and 3.
func rotation(t *testing.T) (before, during, after *Access) {
	t.Helper()
	list := func(alice, gateway byte) *Access {
		clients := []Client{{"alice", publicKey(alice), Kinds}, {"bob", publicKey(2), Kinds}}
		return must(NewAccess(clients, map[string]ed25519.PublicKey{"gw": publicKey(gateway)}))
	}
	before, after = list(1, 3), list(11, 13)
	during = must(before.WithSecondKeys(map[string]ed25519.PublicKey{"alice": publicKey(11)},
		map[string]ed25519.PublicKey{"gw": publicKey(13)}))
	return before, during, after
}

// TestTwoKeysOfAClient: while a client's list entry has two keys, what either signed is the
// client's; before and after, one of them signs nothing.
func TestTwoKeysOfAClient(t *testing.T) {
	f := newFleet(t, 2, 3)
	before, during, after := rotation(t)
	for name, test := range map[string]struct {
		list             *Access
		old, fresh, bobs bool
	}{
		"before": {before, true, false, false}, "during": {during, true, true, false}, "after": {after, false, true, false},
	} {
		for key, want := range map[byte]bool{1: test.old, 11: test.fresh, 2: test.bobs} {
			job := SignJob(privateKey(key), f.m, KindSign, "alice", []byte("{}"))
			switch err := job.Authenticate(f.m, test.list); {
			case want && err != nil:
				t.Errorf("%s, key %d: %v", name, key, err)
			case !want && (err == nil || err.Code != CodeBadSignature):
				t.Errorf("%s, key %d: %v, want %s", name, key, err, CodeBadSignature)
			}
			if got := test.list.IsClient("alice", publicKey(key)); got != want {
				t.Errorf("%s, key %d: it is alice's: %v", name, key, got)
			}
		}
	}
	same := func(key byte) [32]byte {
		return SignJob(privateKey(key), f.m, KindSign, "alice", []byte("{}")).Digest(f.m)
	}
	if same(1) != same(11) {
		t.Error("a job is another one under the client's other key")
	}
	if !during.StillAllows(before, "alice", KindSign) || !after.StillAllows(during, "alice", KindSign) {
		t.Error("a rotation ends what the client has in work")
	}
	if after.StillAllows(before, "alice", KindSign) {
		t.Error("without an overlap nothing ends")
	}
}

// TestTwoKeysOfAGateway: tasks and results under either key count while the list has both.
func TestTwoKeysOfAGateway(t *testing.T) {
	f := newFleet(t, 2, 3)
	before, during, after := rotation(t)
	for name, test := range map[string]struct {
		list       *Access
		old, fresh bool
	}{"before": {before, true, false}, "during": {during, true, true}, "after": {after, false, true}} {
		for key, want := range map[byte]bool{3: test.old, 13: test.fresh} {
			_, err := test.list.FromGateway(f.m, "work.x", SealGateway(privateKey(key), "gw", f.m, "work.x", nil))
			equal(t, name+": task", err == nil, want)
			result := ed25519.Sign(privateKey(key), ResultSigningInput(f.m, "alice", jobID(1), nil))
			err = test.list.VerifyResult(f.m, "gw", "alice", jobID(1), nil, result)
			equal(t, name+": result", err == nil, want)
			equal(t, name+": gateway", test.list.CheckGateway("gw", publicKey(key)) == nil, want)
		}
	}
	equal(t, "the second key comes", during.StillHears(before, "gw"), true)
	equal(t, "the first key goes", after.StillHears(during, "gw"), false) // what it said last may be under that one
	all := must(during.WithAdministrators(nil, 0))
	all.revoked.Gateways = []string{"gw"}
	for _, key := range []byte{3, 13} {
		equal(t, "revoked by name", all.CheckGateway("gw", publicKey(key)) == nil, false)
	}
}

// TestSecondKeysThatAreRefused: a second key is a usable key of nobody else.
func TestSecondKeysThatAreRefused(t *testing.T) {
	before, during, _ := rotation(t)
	type byName = map[string]ed25519.PublicKey
	for want, second := range map[string][2]byName{
		`the second key of client "alice" is the key of client bob`:   {{"alice": publicKey(2)}, nil},
		`the second key of client "alice" is the key of client alice`: {{"alice": publicKey(1)}, nil},
		`the second key of client "alice" is the key of gateway gw`:   {{"alice": publicKey(3)}, nil},
		`the second key of gateway "gw" is the key of client bob`:     {nil, {"gw": publicKey(2)}},
		`the second key of gateway "gw" is the key of client "bob"`:   {{"bob": publicKey(4)}, {"gw": publicKey(4)}},
		`client "carol" has a second key, and the list has no first`:  {{"carol": publicKey(5)}, nil},
		"Ed25519 public key of 31 bytes":                              {{"alice": publicKey(5)[:31]}, nil},
	} {
		if _, err := before.WithSecondKeys(second[0], second[1]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	for name, key := range weakKeys(t) {
		if _, err := before.WithSecondKeys(byName{"alice": key}, nil); !errors.Is(err, ErrWeakKey) {
			t.Errorf("client with %s: %v", name, err)
		}
		if _, err := before.WithSecondKeys(nil, byName{"gw": key}); !errors.Is(err, ErrWeakKey) {
			t.Errorf("gateway with %s: %v", name, err)
		}
	}
	if _, err := during.WithSecondKeys(byName{"alice": publicKey(5)}, nil); err == nil {
		t.Error("a client has three keys")
	}
	if _, err := during.WithAdministrators([]Administrator{{"carol", publicKey(11)}}, 0); err == nil ||
		!strings.Contains(err.Error(), "has the key of client alice") {
		t.Errorf("an administrator with a client's second key: %v", err)
	}
}

// TestChangesOfKeys: a key that comes takes nothing away, one that goes does; both are named
// as the list begins with them.
func TestChangesOfKeys(t *testing.T) {
	before, during, after := rotation(t)
	old, fresh := Fingerprint(publicKey(1)), Fingerprint(publicKey(11))
	oldGateway, freshGateway := Fingerprint(publicKey(3)), Fingerprint(publicKey(13))
	for name, test := range map[string]struct {
		from, to *Access
		want     []AccessChange
	}{
		"both": {before, during, []AccessChange{
			{"client alice has one more key: " + fresh, false}, {"gateway gw has one more key: " + freshGateway, false}}},
		"the new one alone": {during, after, []AccessChange{
			{"client alice has one key less: " + old + " counts no more", true},
			{"gateway gw has one key less: " + oldGateway + " counts no more", true}}},
		"at once": {before, after, []AccessChange{
			{"client alice has another key: " + fresh + " in the place of " + old, true},
			{"gateway gw has another key: " + freshGateway + " in the place of " + oldGateway, true}}},
	} {
		if got := test.to.Changes(test.from); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v\nwant %v", name, got, test.want)
		}
	}
	want := []string{
		"client alice has two keys, " + old + " and " + fresh, "gateway gw has two keys, " + oldGateway + " and " + freshGateway,
	}
	if got := during.Overlaps(); !slices.Equal(got, want) || len(before.Overlaps()) > 0 {
		t.Errorf("overlaps %v", got)
	}
}
