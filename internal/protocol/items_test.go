package protocol

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// look has the gateway look for keys until it publishes a task or answers the job.
func (d *desk) look() {
	for range 1000 {
		if len(d.tasks)+len(d.finished) > 0 {
			return
		}
		d.timeout(timerLoad)
	}
}

// Items are judged one by one: what is wrong with some keeps no others from being signed,
// and the answer says of each what became of it.
func TestItemsOneByOne(t *testing.T) {
	f := agedFleet(t)
	short, rooted := item(f.btc, 0, "x"), item(f.btc, 0, "x")
	short.Message, rooted.ScriptRoot = short.Message[1:], wire.HexBytes{1}
	items := []wire.JobItem{
		{Key: strings.Repeat("x", 5000), Message: short.Message},
		item(f.btc, 0, "one"), item(someBatch, 0, "x"), item(f.btc, 2, "x"), item(f.bob, 0, "x"), short, rooted,
		item(f.sol, 0, "x"), item(f.btc, 1, "two"),
	}
	codes := []wire.Code{
		wire.CodeUnknownKey, "", wire.CodeUnknownKey, wire.CodeUnknownKey, wire.CodeNotOwner, wire.CodeBadMessage,
		wire.CodeBadTweak, wire.CodeBadMessage, "",
	}
	job := f.signing(9, "alice", items...)
	f.desk.arrive(job, nil)
	f.desk.look()
	task, err := wire.DecodeTask(f.desk.tasks[0].Body, f.m)
	if f.check(err); !slices.Equal(task.Items, []uint32{1, 8}) {
		t.Fatalf("the task is for items %d", task.Items)
	}
	f.drain()
	r := f.desk.result()
	if r.Status != wire.StatusPartial || r.Code != wire.CodeUnknownKey || r.Suite != "secp256k1-tr" || r.Amount() != 2 ||
		!strings.HasPrefix(r.Error, "item 0: key id ") || !strings.HasSuffix(r.Error, " (and 6 more of the 9 items are refused)") {
		t.Errorf("%s, %s: %s, %d signatures", r.Status, r.Code, r.Error, r.Amount())
	}
	equal(t, "answers", len(r.Sigs), len(items))
	for i, sig := range r.Sigs {
		if sig.Code != codes[i] || (sig.Code == "") != (sig.Error == "") || len(sig.Key) > 64 || len(sig.Error) > 200 ||
			!strings.HasPrefix(items[i].Key, sig.Key) {
			t.Errorf("item %d: %+v, want code %q", i, sig, codes[i])
		}
		if sig.Code == "" {
			f.check(client.VerifySignature(r.Suite, sig.PublicKey, items[i].Message, sig.Signature))
		} else if len(sig.PublicKey)+len(sig.Signature) > 0 {
			t.Errorf("item %d is refused, and has a signature", i)
		}
	}
	equal(t, "results of the same job again", len(f.desk.finished), 1)
	f.desk.arrive(job, r.Encode())
	equal(t, "replayed", len(f.desk.replayed), 1)
}

// TestChildrenOneByOne: a path that leads nowhere, and a child of another client's key, are
// refused alone, be the others so many that their offsets are computed beside the step.
func TestChildrenOneByOne(t *testing.T) {
	for _, good := range []int{1, 2 * inlineChecks} {
		t.Run(fmt.Sprint(good), func(t *testing.T) {
			f := agedFleet(t)
			items := []wire.JobItem{below(item(f.btc, 0, "x"), "0'/17"), below(item(f.bob, 0, "x"), "0/17")}
			for i := range good {
				items = append(items, below(item(f.btc, i%2, "x"), fmt.Sprintf("0/%d", i)))
			}
			f.desk.arrive(f.signing(9, "alice", items...), nil)
			f.drain()
			r := f.desk.result()
			if r.Status != wire.StatusPartial || r.Code != wire.CodeBadPath || r.Amount() != good || len(r.Sigs) != len(items) ||
				!strings.HasPrefix(r.Error, `item 0: path "0'/17": step 1: a hardened step`) {
				t.Fatalf("%s, %s: %s, %d of %d signatures", r.Status, r.Code, r.Error, r.Amount(), len(r.Sigs))
			}
			for i, code := range []wire.Code{wire.CodeBadPath, wire.CodeNotOwner} {
				if sig := r.Sigs[i]; sig.Code != code || len(sig.PublicKey)+len(sig.Signature)+len(sig.Path) > 0 {
					t.Errorf("item %d: %+v, want code %s and nothing else", i, sig, code)
				}
			}
			for i := 2; i < len(items); i++ {
				sig, output := r.Sigs[i], f.outputOf(items[i])
				if !slices.Equal(sig.PublicKey, output) || sig.Path != *items[i].Path {
					t.Errorf("item %d: under %x at path %q", i, []byte(sig.PublicKey), sig.Path)
				}
				f.check(client.VerifySignature(r.Suite, output, items[i].Message, sig.Signature))
			}
		})
	}
}

// TestChildThatIsNoKey: what only the derivation finds is refused alone as well.
func TestChildThatIsNoKey(t *testing.T) {
	f := agedFleet(t)
	items := []wire.JobItem{
		below(item(f.btc, 0, "x"), "0/1"), below(item(f.btc, 0, "x"), "no child"), below(item(f.btc, 1, "x"), "0/2"),
	}
	j := &activeSign{
		activeJob: &activeJob{CheckedJob: &CheckedJob{job: &wire.Job{Items: items}}},
		items:     make([]frost.Item, len(items)), refused: make([]*wire.JobError, len(items)),
	}
	for i := range items {
		root := f.root(f.btc, i/2)
		j.items[i].Key = &frost.Key{Suite: root.Suite, PublicKey: root.PublicKey}
		j.children = append(j.children, child{item: i, it: &items[i], key: j.items[i].Key})
	}
	descend(derive.NewCache(maxBranches), j)().(descended).take()
	for i, refused := range j.refused {
		bad := i == 1
		if (refused != nil) != bad || bad && refused.Code != wire.CodeBadPath || (len(j.items[i].Offsets) == 0) != bad {
			t.Errorf("item %d: %v, %d offsets", i, refused, len(j.items[i].Offsets))
		}
	}
}

// TestAllItemsRefused: of what nothing can be signed fails, with the reason of the first.
func TestAllItemsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		items func(f aged) []wire.JobItem
		code  wire.Code
		says  string
	}{
		"one": {func(f aged) []wire.JobItem { return []wire.JobItem{item(f.bob, 0, "x")} }, wire.CodeNotOwner, "another client"},
		"two": {func(f aged) []wire.JobItem {
			return []wire.JobItem{item(f.btc, 9, "x"), item(f.bob, 0, "x")}
		}, wire.CodeUnknownKey, " (and 1 more of the 2 items are refused)"},
		"as many as a job may have": {func(f aged) (items []wire.JobItem) {
			for i := range wire.MaxJobItems {
				items = append(items, item(fmt.Sprintf("%032x", i), 0, "x"))
			}
			return items
		}, wire.CodeUnknownKey, " (and 999 more of the 1000 items are refused)"},
	} {
		t.Run(name, func(t *testing.T) {
			f := agedFleet(t)
			f.desk.arrive(f.signing(9, "alice", test.items(f)...), nil)
			f.desk.look()
			r := f.desk.result()
			if r.Status != wire.StatusFailed || r.Code != test.code || !strings.HasPrefix(r.Error, "item 0: ") ||
				!strings.Contains(r.Error, test.says) || len(r.Sigs) != 0 {
				t.Errorf("%s, %s: %s", r.Status, r.Code, r.Error)
			}
			if len(f.desk.tasks)+f.desk.Jobs() > 0 || len(f.desk.ends) > 2 {
				t.Errorf("%d tasks, %d jobs in work, %d questions about KEYS", len(f.desk.tasks), f.desk.Jobs(), len(f.desk.ends))
			}
		})
	}
}

// TestFirstItemRefused: the suite of a job is that of the first item that can be signed.
func TestFirstItemRefused(t *testing.T) {
	f := agedFleet(t)
	rooted := item(f.sol, 0, "x")
	rooted.ScriptRoot = make(wire.HexBytes, 32)
	f.desk.arrive(f.signing(9, "alice", rooted, item(f.sol, 0, "x"), item(f.btc, 0, "x")), nil)
	f.drain()
	r := f.desk.result()
	equal(t, "suite", r.Suite, "ed25519")
	equal(t, "first", r.Sigs[0].Code, wire.CodeBadTweak)
	equal(t, "second", r.Sigs[1].Code, wire.Code(""))
	equal(t, "third", r.Sigs[2].Code, wire.CodeBadMessage)
}

// TestTaskForARefusedItem: nodes begin nothing where a gateway asks for an item that is
// wrong in itself, and sign the others of its job.
func TestTaskForARefusedItem(t *testing.T) {
	f := agedFleet(t)
	rooted := item(f.btc, 0, "x")
	rooted.ScriptRoot = wire.HexBytes{1}
	signed := f.signing(9, "alice", wire.JobItem{Key: "x.0", Message: make([]byte, 32)}, rooted,
		below(item(f.btc, 0, "x"), "0/17'"), item(f.btc, 0, "x"), below(item(f.btc, 0, "x"), "0/17"))
	job, refusal := signed.Parse(f.now)
	if refusal != nil {
		t.Fatal(refusal)
	}
	for which, ok := range []bool{false, false, false, true, true} {
		task := wire.SignTask(signed, 0, []uint32{uint32(which)}, nil)
		if _, err := newSignRequest(f.m, task, job); (err == nil) != ok {
			t.Errorf("item %d: %v", which, err)
		}
	}
}
