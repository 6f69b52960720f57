package wire

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestApprovals(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2, 3)
	pub, key, _ := ed25519.GenerateKey(rand.Reader)
	other, _, _ := ed25519.GenerateKey(rand.Reader)
	job := f.signing(1, "alice", item(someBatch, 0, "x"))
	digest := job.Digest(f.m)
	a := Approve(key, "dora", f.m, digest, time.Unix(1_800_000_000, 0))
	back, err := ParseApproval(a.Header())
	if err != nil || compareApprovals(a, back) != 0 || !back.Verify(pub, f.m, digest) {
		t.Fatalf("%v, %v", back, err)
	}
	another := *f.m
	another.Network = "mainnet"
	must(0, another.Seal())
	for name, ok := range map[string]bool{
		"another digest":     a.Verify(pub, f.m, [32]byte{1}),
		"another manifest":   a.Verify(pub, &another, digest),
		"another key":        a.Verify(other, f.m, digest),
		"no key":             a.Verify(nil, f.m, digest),
		"a weak key":         a.Verify(make([]byte, 32), f.m, digest),
		"the job's own":      Approval{"dora", job.Signature, a.Time}.Verify(f.clients["alice"].Public().(ed25519.PublicKey), f.m, digest),
		"half a signature":   Approval{"dora", a.Signature[:32], a.Time}.Verify(pub, f.m, digest),
		"another time":       Approval{"dora", a.Signature, a.Time + 1}.Verify(pub, f.m, digest),
		"no signature":       Approval{"dora", nil, a.Time}.Verify(pub, f.m, digest),
		"the digest, signed": Approval{"dora", ed25519.Sign(key, digest[:]), a.Time}.Verify(pub, f.m, digest),
	} {
		if ok {
			t.Errorf("%s passes", name)
		}
	}
}

// Approvals come as headers, in whatever order and however often, and go on as one list.
func TestReadApprovals(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2, 3)
	job := f.signing(1, "alice", item(someBatch, 0, "x"))
	sig := strings.Repeat("ab", 64)
	read := func(values map[string][]string) SignedJob {
		headers := map[string][]string{HeaderClient: {"alice"}, HeaderSignature: {hex.EncodeToString(job.Signature)}}
		for k, v := range values {
			headers[k] = v
		}
		return ReadJob(KindSign, "alice", job.Payload, headers)
	}
	many := func(n int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf("a%02d 7 %s", i, sig))
		}
		return list
	}
	for name, test := range map[string]struct {
		headers map[string][]string
		want    int // -1: refused
	}{
		"none":       {nil, 0},
		"one":        {map[string][]string{HeaderApproval: {"dora 7 " + sig}}, 1},
		"two":        {map[string][]string{HeaderApproval: {"dora 7 " + sig, "carl 7 " + sig}}, 2},
		"two cases":  {map[string][]string{HeaderApproval: {"dora 7 " + sig}, "frost-approval": {"carl 7 " + sig}}, 2},
		"twice":      {map[string][]string{HeaderApproval: {"dora 7 " + sig, " dora 7 " + strings.ToUpper(sig) + " "}}, 1},
		"most":       {map[string][]string{HeaderApproval: many(MaxApprovals)}, MaxApprovals},
		"too many":   {map[string][]string{HeaderApproval: many(MaxApprovals + 1)}, -1},
		"no name":    {map[string][]string{HeaderApproval: {sig}}, -1},
		"empty":      {map[string][]string{HeaderApproval: {""}}, -1},
		"bad name":   {map[string][]string{HeaderApproval: {"d.o 7 " + sig}}, -1},
		"short":      {map[string][]string{HeaderApproval: {"dora 7 " + sig[2:]}}, -1},
		"no time":    {map[string][]string{HeaderApproval: {"dora " + sig}}, -1},
		"other time": {map[string][]string{HeaderApproval: {"dora 07 " + sig}}, -1},
		"below zero": {map[string][]string{HeaderApproval: {"dora -7 " + sig}}, -1},
		"too late":   {map[string][]string{HeaderApproval: {"dora 253402300800 " + sig}}, -1},
		"two spaces": {map[string][]string{HeaderApproval: {"dora 7  " + sig}}, -1},
	} {
		got := read(test.headers)
		err := got.Authenticate(f.m, f.access)
		switch {
		case test.want < 0 && (err == nil || err.Code != CodeBadSignature || !strings.Contains(err.Reason, HeaderApproval)):
			t.Errorf("%s: %v", name, err)
		case test.want >= 0 && (err != nil || len(got.Approvals) != test.want || got.checkApprovals() != nil):
			t.Errorf("%s: %v, %d approvals", name, err, len(got.Approvals))
		}
		if got.Digest(f.m) != job.Digest(f.m) {
			t.Errorf("%s: another digest", name)
		}
	}
	list := read(map[string][]string{HeaderApproval: {"dora 7 " + sig, "carl 7 " + sig}}).Approvals
	again := MergeApprovals(list, []Approval{list[1], {"emil", list[0].Signature, 9}})
	if names := []string{again[0].Name, again[1].Name, again[2].Name}; len(again) != 3 || !slices.IsSorted(names) {
		t.Errorf("merged: %v", names)
	}
}

// A task takes approvals in one order only, and no more than a job may have.
func TestTaskApprovals(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2, 3)
	some := func(names ...string) (list []Approval) {
		for _, n := range names {
			list = append(list, Approval{n, make([]byte, 64), 1})
		}
		return list
	}
	for name, test := range map[string]struct {
		list []Approval
		ok   bool
	}{
		"none": {nil, true}, "two": {some("a", "b"), true}, "out of order": {some("b", "a"), false},
		"twice": {some("a", "a"), false}, "bad name": {some("a b"), false}, "too many": {make([]Approval, MaxTaskApprovals+1), false},
		"no time": {[]Approval{{"a", make([]byte, 64), -1}}, false},
		"short":   {[]Approval{{"a", make([]byte, 63), 1}}, false},
	} {
		task := &Task{Job: f.signing(1, "alice", item(someBatch, 0, "x")), Items: []uint32{0}}
		task.Job.Approvals = test.list
		if _, err := DecodeTask(Encode(task), f.m); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
