package protocol

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// root is a key of the aged fleet with its chain code, as its entry certifies it.
func (f aged) root(batch string, index int) derive.Key {
	f.t.Helper()
	for _, m := range f.keys {
		entry, err := wire.VerifyEntry(m.Data, f.m)
		if err == nil && entry.ID == batch {
			k := entry.Keys[index]
			return derive.Key{Suite: frost.Suite(entry.Header.Suite), PublicKey: k.PublicKey, ChainCode: k.ChainCode}
		}
	}
	f.t.Fatalf("no entry of batch %s", batch)
	return derive.Key{}
}

// outputOf is the key that must have signed an item: of Bitcoin by btcutil and btcd.
func (f aged) outputOf(it wire.JobItem) []byte {
	f.t.Helper()
	id := must(wire.ParseKeyID(it.Key))
	root, path := f.root(id.Batch, id.Index), derive.Path(nil)
	if it.Path != nil {
		path = must(derive.ParsePath(*it.Path))
	}
	if root.Suite == frost.Ed25519 {
		return must(root.Child(path)).PublicKey
	}
	k := hdkeychain.NewExtendedKey(chaincfg.RegressionNetParams.HDPublicKeyID[:], root.PublicKey, root.ChainCode[:],
		make([]byte, 4), 0, 0, false)
	for _, index := range path {
		k = must(k.Derive(index))
	}
	internal := must(k.ECPubKey())
	output := txscript.ComputeTaprootKeyNoScript(internal)
	if it.ScriptRoot != nil {
		output = txscript.ComputeTaprootOutputKey(internal, it.ScriptRoot)
	}
	return schnorr.SerializePubKey(output)
}

// A job signs under children of many roots, and the roots among them.
func TestSignUnderChildren(t *testing.T) {
	f := agedFleet(t)
	rooted := below(item(f.btc, 1, "script"), "0/17")
	rooted.ScriptRoot = bytes.Repeat([]byte{7}, 32)
	for name, items := range map[string][]wire.JobItem{
		"one of bitcoin": {below(item(f.btc, 0, "a"), "0/17")},
		"one of solana":  {below(item(f.sol, 0, "a"), "0/17")},
		"bitcoin": {
			item(f.btc, 0, "a"), below(item(f.btc, 0, "a"), "0/17"), below(item(f.btc, 1, "a"), "0/17"), rooted,
			below(item(f.btc, 1, "b"), "2147483647"), below(item(f.btc, 0, "b"), "1/2/3/4/5/6/7/8"), item(f.btc, 1, "c"),
		},
		"solana": {
			item(f.sol, 0, "a"), below(item(f.sol, 0, "a"), "0/17"), below(item(f.sol, 1, "a"), "0/17"),
			below(item(f.sol, 1, "b"), "2147483647"), below(item(f.sol, 0, "b"), "1/2/3/4/5/6/7/8"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSignCase(t, items...)
			s.drain()
			for i, sig := range s.done(1).Sigs {
				path := ""
				if items[i].Path != nil {
					path = *items[i].Path
				}
				if want := s.outputOf(items[i]); !bytes.Equal(sig.PublicKey, want) || sig.Path != path {
					t.Errorf("item %d: under %x at path %q, want %x at %q", i, []byte(sig.PublicKey), sig.Path, want, path)
				}
			}
		})
	}
}

// A child's wrong share is blamed as a root's is.
func TestWrongShareOfAChild(t *testing.T) {
	s := newSignCase(t, below(item(agedFleet(t).btc, 0, "a"), "0/1"), item(agedFleet(t).btc, 0, "a"))
	bad := s.members()[0]
	w := s.nodes[bad].want(wire.SlotShare)
	var b wire.ShareBody
	s.check(wire.Decode(w.body, wire.MaxMessageSize, &b))
	b.Shares[20] ^= 1
	s.say(w.slot, wire.Encode(&b))
	s.nodes[bad].out = nil
	s.drain()
	s.done(2)
	if blamed := s.desk.told(ReportBlamed); len(blamed) != 1 || blamed[0].Culprit != bad {
		t.Errorf("blamed: %v, want node %d", blamed, bad)
	}
}

// manyChildren is a job of alice whose children are computed beside the machine.
func (f aged) manyChildren(id int) wire.SignedJob {
	var items []wire.JobItem
	for i := range wire.InteractiveItems + 1 {
		items = append(items, below(item(f.btc, 0, "x"), fmt.Sprint(i)))
	}
	return f.signing(id, "alice", items...)
}

// Many children are computed beside the machine, once. Their job waits meanwhile; one that
// ended meanwhile does not begin.
func TestChildrenBesideTheMachine(t *testing.T) {
	f := agedFleet(t)
	job := f.manyChildren(9)
	f.desk.hold = true
	f.desk.arrive(job, nil)
	f.desk.signing.lookAgain(f.desk.jobs[jobKey("alice", jobID(9))])
	f.desk.do(Tick{f.now})
	equal(t, "tasks before the children are known", len(f.desk.tasks), 0)
	equal(t, "computations", len(f.desk.held), 1)
	f.desk.do(f.desk.held[0].Run())
	equal(t, "tasks", len(f.desk.tasks), 1)
	f.desk.hold = false
	f.drain()
	(&signCase{aged: f, job: job}).done(1)

	f.desk.hold, f.desk.held, f.desk.finished = true, nil, nil
	f.desk.arrive(f.manyChildren(10), nil)
	f.desk.giveUp("alice", 10)
	equal(t, "code", f.desk.result().Code, wire.CodeSigningFailed)
	equal(t, "computations", len(f.desk.held), 1)
	f.desk.do(f.desk.held[0].Run())
	equal(t, "tasks of a job that expired", len(f.desk.tasks), 0)
	equal(t, "jobs", f.desk.Jobs(), 0)
}

// A job's children are computed in its turn: whoever has many jobs waiting takes no more of a
// gateway's time than their turns have, and a job that never has one takes none.
func TestChildrenWaitForTheirTurn(t *testing.T) {
	f := agedFleet(t)
	f.desk.hold = true
	flights := f.desk.signing.traffic.bulk.window.flights()
	for i := range flights + 5 {
		f.desk.arrive(f.manyChildren(20+i), nil)
	}
	f.desk.do(Tick{f.now})
	equal(t, "computations while the first jobs are in flight", len(f.desk.held), flights)
	f.desk.giveUp("alice", 20+flights) // waits
	equal(t, "computations when one that waited has expired", len(f.desk.held), flights)
	f.desk.giveUp("alice", 20) // in flight
	equal(t, "computations when one in flight is over", len(f.desk.held), flights+1)
}

// Whoever computes an item's offsets refuses the path that leads nowhere, in the same
// words; a child that turns out to be no key is refused under the same code.
func TestPathsRefused(t *testing.T) {
	f := agedFleet(t)
	root := f.root(f.btc, 0)
	key, branches := &frost.Key{Suite: root.Suite, PublicKey: root.PublicKey}, derive.NewCache(1)
	for path, want := range map[string]string{
		"0'":                `path "0'" of key K: step 1: a hardened step: a shared key has unhardened children only`,
		"1/2/3/4/5/6/7/8/9": `path "1/2/3/4/5/6/7/8/9" of key K: a path of too many steps: want at most 8`,
		"2147483648":        `path "2147483648" of key K: step 1: an index out of range: want 0 to 2147483647`,
	} {
		it := below(item(f.btc, 0, "x"), path)
		good := below(item(f.btc, 0, "x"), "0/17")
		offsets, refused := offsetsOf(branches, []child{{it: &it, key: key}, {it: &good, key: key}})
		want = strings.Replace(want, "K", it.Key, 1)
		if err := refused[0]; err == nil || err.Code != wire.CodeBadPath || err.Reason != want || offsets[0] != nil {
			t.Errorf("%s: %x, %v", path, offsets[0], err)
		}
		if refused[1] != nil || len(offsets[1]) != 2 {
			t.Errorf("beside %s: %x, %v", path, offsets[1], refused[1])
		}
	}
	s := newSession(t, agedFleet(t), "alice", nil, below(item(f.btc, 0, "x"), "0"))
	a := s.at(0)
	a.hold = true
	s.deliver()
	session := a.signer.sessions[s.id]
	noKey := fmt.Errorf("item 0: %w", frost.ErrChild)
	a.perform(session.onNonces(noncesMade{s: session, items: session.items, err: noKey}))
	equal(t, "code", must(wire.DecodeComplaint(a.want(wire.SlotRefuse).body)).Code, wire.CodeBadPath)
}

// An invalid index ends the job with its code, whoever finds it.
func TestJobOfNoChild(t *testing.T) {
	s := newSignCase(t, below(item(agedFleet(t).btc, 0, "a"), "0/1"))
	c := wire.Complaint{Session: s.attempt().session, Code: wire.CodeBadPath, Reason: "item 0: " + frost.ErrChild.Error()}
	id := s.attempt().id
	for i := range s.m.N - s.m.T + 1 {
		s.nodes[i].out = nil
		s.say(wire.Slot{Kind: wire.SlotRefuse, ID: id, Node: i}, wire.Encode(&c))
	}
	equal(t, "code", s.desk.result().Code, wire.CodeBadPath)
}

// A worker computes from the root that its own keystore has: of two nodes whose stores
// differ in the chain code no signature comes, and nobody signs under what a gateway says.
func TestOffsetsAreTheNodesOwn(t *testing.T) {
	f := agedFleet(t)
	it := below(item(f.btc, 0, "x"), "0/17")
	r := &signRequest{
		job: &wire.Job{Items: []wire.JobItem{it}}, client: "alice", which: []uint32{0},
		keys: []wire.KeyID{must(wire.ParseKeyID(it.Key))}, draft: f.draft(),
	}
	keys := f.nodes[0].load(r.keys)
	checked, refusal := r.check(keys, nil, derive.NewCache(1))
	if refusal != nil {
		t.Fatal(refusal)
	}
	want := must(f.root(f.btc, 0).Offsets(derive.Path{0, 17}))
	if !slices.Equal(checked.items[0].Offsets, want) {
		t.Errorf("offsets %x, want %x", checked.items[0].Offsets, want)
	}
	keys[0].MadeBy[0]++
	if checked, _ = r.check(keys, nil, derive.NewCache(1)); slices.Equal(checked.items[0].Offsets, want) {
		t.Error("the offsets don't depend on the node's own record")
	}
}

// draft is the draft of BIP 445 that tasks name.
func (f *fleet) draft() string { return wire.SignTask(wire.SignedJob{}, 0, nil, nil).Draft }

// Who names no path pays nothing for those who may: no allocation an item more.
func TestRootsCostNothing(t *testing.T) {
	f := agedFleet(t)
	count := func(n int, path string) float64 {
		r := &signRequest{job: &wire.Job{}, client: "alice", draft: f.draft()}
		for i := range n {
			it := item(f.btc, i%2, fmt.Sprint(i))
			if path != "" {
				it = below(it, path)
			}
			r.job.Items, r.which = append(r.job.Items, it), append(r.which, uint32(i))
			r.keys = append(r.keys, must(wire.ParseKeyID(it.Key)))
		}
		keys, branches := f.nodes[0].load(r.keys), derive.NewCache(1)
		return testing.AllocsPerRun(10, func() {
			if _, refusal := r.check(keys, nil, branches); refusal != nil {
				t.Fatal(refusal)
			}
		})
	}
	if one, many := count(1, ""), count(100, ""); many > one {
		t.Errorf("%v allocations to check 100 items, %v for one", many, one)
	}
	if one, many := count(1, "0/17"), count(100, "0/17"); many < one+99 { // the measurement sees what there is
		t.Errorf("%v allocations to check 100 children, %v for one", many, one)
	}
}
