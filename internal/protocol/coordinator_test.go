package protocol

import (
	"bytes"
	"crypto/ed25519"
	"github.com/frostfleet/frostfleet/internal/wire"
	"slices"
	"strings"
	"testing"
	"time"
)

// tampered is a job whose signature is not good.
func tampered(j wire.SignedJob) wire.SignedJob {
	j.Signature = make([]byte, ed25519.SignatureSize)
	return j
}

// What is turned away is answered and not stored; what can't be done is stored
// as failed. Both have the code.
func TestJobsTurnedAway(t *testing.T) {
	f := agedFleet(t)
	stranger := f.keygen(9, "alice", "solana", 1)
	stranger.Client = "mallory"
	badMessage := item(f.btc, 0, "x")
	badMessage.Message = badMessage.Message[1:]
	rooted := item(f.sol, 0, "x")
	rooted.ScriptRoot = make([]byte, 32)
	expired := f.job(
		"alice",
		wire.KindKeygen,
		mustJSON(wire.Job{ID: jobID(9), Kind: wire.KindKeygen, Expires: t0, Chain: "solana", Count: 1}),
	)
	tooFar := f.job(
		"alice",
		wire.KindKeygen,
		mustJSON(wire.Job{ID: jobID(9), Kind: wire.KindKeygen, Expires: t0.Add(2 * time.Hour), Chain: "solana", Count: 1}),
	)
	for name, test := range map[string]struct {
		job    wire.SignedJob
		code   wire.Code
		stored bool
	}{
		"unknown client":  {stranger, wire.CodeUnknownClient, false},
		"bad signature":   {tampered(f.keygen(9, "alice", "solana", 1)), wire.CodeBadSignature, false},
		"not allowed":     {f.keygen(9, "carol", "solana", 1), wire.CodeKindNotAllowed, false},
		"no id":           {f.job("alice", wire.KindKeygen, []byte(`{}`)), wire.CodeMalformedJob, false},
		"no JSON":         {f.job("alice", wire.KindKeygen, []byte(`x`)), wire.CodeMalformedJob, false},
		"id that is none": {f.job("alice", wire.KindKeygen, []byte(`{"job":"order-17"}`)), wire.CodeMalformedJob, false},
		"unknown field":   {f.job("alice", wire.KindKeygen, []byte(`{"job":"`+jobID(9)+`","x":1}`)), wire.CodeMalformedJob, true},
		"expired":         {expired, wire.CodeExpired, true},
		"expires late":    {tooFar, wire.CodeExpiryTooFar, true},
		"no keys":         {f.keygen(9, "alice", "solana", 0), wire.CodeEmptyBatch, true},
		"too many keys":   {f.keygen(9, "alice", "solana", wire.MaxJobKeys+1), wire.CodeTooLarge, true},
		"unknown chain":   {f.keygen(9, "alice", "moon", 1), wire.CodeUnknownChain, true},
		"nothing":         {f.signing(9, "alice"), wire.CodeEmptyBatch, true},
		"bad key id":      {f.signing(9, "alice", wire.JobItem{Key: "x"}), wire.CodeUnknownKey, true},
		"bad root":        {f.signing(9, "alice", wire.JobItem{Key: someBatch + ".0", ScriptRoot: wire.HexBytes{1}}), wire.CodeBadTweak, true},
		"key index":       {f.signing(9, "alice", item(f.btc, 2, "x")), wire.CodeUnknownKey, true},
		"another's key":   {f.signing(9, "alice", item(f.bob, 0, "x")), wire.CodeNotOwner, true},
		"short message":   {f.signing(9, "alice", badMessage), wire.CodeBadMessage, true},
		"rooted solana":   {f.signing(9, "alice", rooted), wire.CodeBadTweak, true},
		"hardened":        {f.signing(9, "alice", below(item(f.btc, 0, "x"), "0'")), wire.CodeBadPath, true},
		"too deep":        {f.signing(9, "alice", below(item(f.btc, 0, "x"), "0/0/0/0/0/0/0/0/0")), wire.CodeBadPath, true},
		"another's root":  {f.signing(9, "alice", below(item(f.bob, 0, "x"), "0/1")), wire.CodeNotOwner, true},
		"rooted child":    {f.signing(9, "alice", below(rooted, "0/1")), wire.CodeBadTweak, true},
		"unknown root":    {f.signing(9, "alice", below(item(f.btc, 2, "x"), "0/1")), wire.CodeUnknownKey, true},
	} {
		f.newLife()
		token := f.desk.arrive(test.job, nil)
		var r *wire.Result
		switch {
		case test.stored:
			r = f.desk.result()
			equal(t, name+": token", f.desk.finished[0].Token, token)
		case len(f.desk.rejected) == 1:
			r = f.desk.rejected[0].Result
			equal(t, name+": token", f.desk.rejected[0].Token, token)
			if !bytes.Equal(r.Rejected, namedAs(test.job)) {
				t.Errorf("%s: the answer does not repeat the job's signature", name)
			}
			equal(t, name+": job", r.Job, wire.NamedID(test.job.Payload))
		default:
			t.Fatalf("%s: not turned away", name)
		}
		digest := test.job.Digest(f.m)
		if r.Code != test.code || r.Status != wire.StatusFailed || r.Error == "" || !bytes.Equal(r.Digest, digest[:]) {
			t.Errorf("%s: got %s: %s, want %s", name, r.Code, r.Error, test.code)
		}
		if f.desk.Jobs() != 0 || len(f.desk.tasks) != 0 || len(f.desk.finished)+len(f.desk.rejected) != 1 {
			t.Errorf("%s: something is left of it", name)
		}
	}
}

// A key that no batch has is looked for a while, as another gateway may have
// announced it a moment ago.
func TestUnknownKeyIsLookedFor(t *testing.T) {
	f := agedFleet(t)
	f.desk.arrive(f.signing(9, "alice", item(someBatch, 0, "x")), nil)
	looks := 0
	for ; len(f.desk.finished) == 0 && looks < 1000; looks++ {
		f.desk.timeout(timerLoad)
	}
	equal(t, "code", f.desk.result().Code, wire.CodeUnknownKey)
	if looks < 10 || looks == 1000 {
		t.Errorf("looked %d times", looks)
	}
	f.newLife()
	keys := f.keys
	f.dkg, f.keys = nil, nil
	f.newLife() // has not read the log
	f.desk.arrive(f.signing(9, "alice", item(f.btc, 0, "x")), nil)
	equal(t, "tasks before the key is known", len(f.desk.tasks), 0)
	for _, m := range keys {
		f.desk.do(ReadKeys(f.m, m))
	}
	f.desk.timeout(timerLoad)
	equal(t, "tasks", len(f.desk.tasks), 1)
}

func TestSameJobAgain(t *testing.T) {
	f := agedFleet(t)
	job, other := f.signing(9, "alice", item(f.btc, 0, "x")), f.signing(9, "alice", item(f.btc, 0, "y"))
	first := f.desk.arrive(job, nil)
	second := f.desk.arrive(job, nil) // redelivered while in work
	if !slices.Equal(f.desk.replaced, []Supersede{{first, second}}) {
		t.Errorf("superseded %v", f.desk.replaced)
	}
	f.desk.arrive(other, nil)
	equal(t, "same id, other content, in work", f.desk.rejected[0].Result.Code, wire.CodeJobIDReused)
	f.drain()
	stored := f.desk.result().Encode()
	equal(t, "token of the result", f.desk.finished[0].Token, second)
	third := f.desk.arrive(job, stored)
	if !slices.Equal(f.desk.replayed, []Replay{{third, "alice", jobID(9)}}) {
		t.Errorf("replayed %v", f.desk.replayed)
	}
	for _, existing := range [][]byte{stored, []byte("x"), []byte("{}")} {
		f.desk.rejected = nil
		f.desk.arrive(other, existing)
		equal(t, "same id, other content, done", f.desk.rejected[0].Result.Code, wire.CodeJobIDReused)
	}
	f.desk.arrive(f.signing(9, "bob", item(f.bob, 0, "x")), nil) // another client's id is another id
	f.drain()
	equal(t, "results", len(f.desk.finished), 2)
}

func TestPoison(t *testing.T) {
	f := agedFleet(t)
	job := f.signing(9, "alice", item(f.btc, 0, "x"))
	f.desk.do(JobPoisoned{Token: 5, Job: f.desk.checked(job), Deliveries: 6})
	equal(t, "code", f.desk.result().Code, wire.CodePoison)
	equal(t, "token", f.desk.finished[0].Token, uint64(5))
	f.newLife()
	f.desk.do(JobPoisoned{Token: 5, Job: f.desk.checked(tampered(job)), Deliveries: 6})
	equal(t, "unsigned poison is not stored", len(f.desk.finished), 0)
	equal(t, "code", f.desk.rejected[0].Result.Code, wire.CodePoison)
	f.newLife()
	f.desk.arrive(job, nil)
	f.desk.do(JobPoisoned{Token: 5, Job: f.desk.checked(job), Deliveries: 6})
	equal(t, "code", f.desk.result().Code, wire.CodePoison)
	equal(t, "jobs in work", f.desk.Jobs(), 0)
	f.newLife()
	f.desk.do(JobPoisoned{Token: 5, Job: f.desk.checked(job), Existing: f.desk.result2(job), Deliveries: 6})
	equal(t, "a job that is done is announced again", len(f.desk.replayed), 1)
	f.desk.do(
		JobPoisoned{
			Token:      6,
			Job:        f.desk.checked(f.signing(9, "alice", item(f.btc, 0, "y"))),
			Existing:   f.desk.result2(job),
			Deliveries: 6,
		},
	)
	equal(t, "another job's result is not", len(f.desk.replayed), 1)
}

// result2 is a result as it might be stored for a job.
func (d *desk) result2(job wire.SignedJob) *ExistingResult {
	return stored(d.checked(job).answer().Encode())
}

// Every job ends, at the latest when it expires, and the answer names who was
// waited for.
func TestExpiry(t *testing.T) {
	for name, test := range map[string]struct {
		run  func(f *fleet)
		want []string
	}{
		"nobody dealt": {func(*fleet) {}, []string{"before any node dealt part 0"}},
		"deals":        {func(f *fleet) { f.let(0, wire.SlotDeal) }, []string{"the deal of node 1, 2"}},
		"certificates": {func(f *fleet) {
			f.let(0, wire.SlotDeal)
			f.let(1, wire.SlotDeal)
			f.let(2, wire.SlotDeal)
			f.let(1, wire.SlotCert)
		}, []string{"the certificate of node 0, 2"}},
		"certificates that disagree": {func(f *fleet) {
			for i := range 3 {
				f.let(i, wire.SlotDeal)
			}
			f.let(0, wire.SlotCert)
			f.let(1, wire.SlotCert)
			w := f.nodes[2].want(wire.SlotCert)
			var c wire.Certificate
			f.check(wire.Decode(w.body, wire.MaxAttestation, &c))
			c.Root[0]++
			c.Attestation = f.attestOne(2, c.Leaf(f.m))
			f.say(w.slot, wire.Encode(&c))
		}, []string{"do not agree"}},
	} {
		f := newFleet(t, 2, 3).start()
		f.desk.arrive(f.keygen(1, "alice", "solana", 2), nil)
		f.drainTasks()
		test.run(f)
		f.desk.do(Tick{f.now.Add(30 * time.Minute)})
		equal(t, name+": ended at its last second", len(f.desk.finished), 0)
		f.desk.do(Tick{f.now.Add(30*time.Minute + time.Second)})
		r := f.desk.result()
		equal(t, name, r.Code, wire.CodeKeygenFailed)
		for _, want := range test.want {
			if !strings.Contains(r.Error, want) {
				t.Errorf("%s: %q does not say %q", name, r.Error, want)
			}
		}
		equal(t, name+": jobs in work", f.desk.Jobs()+f.desk.keygen.flights.underWay+len(f.desk.keygen.batches), 0)
	}
	f := agedFleet(t)
	f.desk.arrive(f.signing(9, "alice", item(f.btc, 0, "x")), nil)
	f.desk.do(Tick{f.now.Add(11 * time.Minute)})
	r := f.desk.result()
	if r.Code != wire.CodeSigningFailed || !strings.Contains(r.Error, "1 of 1 signatures") ||
		!strings.Contains(r.Error, "0 of 2 commitments") {
		t.Errorf("%s: %s", r.Code, r.Error)
	}
}

// let publishes what a node wants said of a kind.
func (f *fleet) let(i int, kind wire.SlotKind) {
	f.t.Helper()
	w := f.nodes[i].want(kind)
	f.nodes[i].out = slices.DeleteFunc(f.nodes[i].out, func(o wish) bool { return o.slot == w.slot })
	f.nodes[i].fill(w)
	f.flush()
}

// drainTasks publishes tasks and lets nodes think, and nothing else.
func (f *fleet) drainTasks() {
	for _, p := range f.desk.tasks {
		f.post(p.Subject, wire.SealGateway(f.gateway, "gw", f.m, p.Subject, p.Body))
	}
	f.desk.tasks = nil
}

// namedAs is how a rejection names the publication that it turns away.
func namedAs(job wire.SignedJob) []byte {
	if len(job.Signature) == 0 {
		return []byte{0}
	}
	return job.Signature
}
