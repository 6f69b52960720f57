package protocol

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// fleet is everything secret and public of a test's fleet, its logs, and its
// machines, driven by hand: nothing moves unless a test says so.
type fleet struct {
	t        testing.TB
	m        *Manifest
	access   *Access
	identity []*ecdsa.PrivateKey // in place of the HSMs
	host     [][32]byte
	sessions []*SessionKey
	gateway  ed25519.PrivateKey
	clients  map[string]ed25519.PrivateKey

	now              time.Time
	keys, sign, work []LogMessage
	nodes            []*actor
	desk             *desk
	spoil            func() // called when drain posted a task
}

// t0 is when every test begins.
var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// The clients: alice and bob may do everything, carol only signs.
var clientKinds = map[string][]Kind{"alice": {KindKeygen, KindSign}, "bob": {KindKeygen, KindSign}, "carol": {KindSign}}

// newFleet draws the keys of a fleet without machines.
func newFleet(t testing.TB, threshold, n int, change ...func(*Manifest)) *fleet {
	t.Helper()
	f := &fleet{t: t, now: t0, clients: map[string]ed25519.PrivateKey{}}
	m := &Manifest{Version: 1, Fleet: "test", Network: "regtest", N: n, T: threshold, AttestSigning: true}
	for i := range n {
		id := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
		host := must(ecdh.X25519().GenerateKey(rand.Reader))
		f.identity, f.host = append(f.identity, id), append(f.host, [32]byte(host.Bytes()))
		m.Nodes = append(m.Nodes, NodeCard{Index: i, Identity: must(id.PublicKey.Bytes()), Encryption: host.PublicKey().Bytes()})
	}
	for _, c := range change {
		c(m)
	}
	f.check(m.Seal())
	f.m = m
	var clients []Client
	for name, kinds := range clientKinds {
		pub, key, _ := ed25519.GenerateKey(rand.Reader)
		f.clients[name] = key
		clients = append(clients, Client{Name: name, Key: pub, Kinds: kinds})
	}
	pub, key, _ := ed25519.GenerateKey(rand.Reader)
	f.gateway = key
	f.access = must(NewAccess(clients, map[string]ed25519.PublicKey{"gw": pub}))
	for i := range n {
		f.sessions = append(f.sessions, f.session(i))
	}
	return f
}

func (f *fleet) check(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// attest does what node i's HSM does for leaf which of leaves.
func (f *fleet) attest(i int, leaves [][32]byte, which int) *Attestation {
	digest := AttestDigest(f.m, leaves)
	return NewAttestation(leaves, which, must(ecdsa.SignASN1(rand.Reader, f.identity[i], digest[:])))
}

func (f *fleet) attestOne(i int, leaf [32]byte) *Attestation {
	return f.attest(i, [][32]byte{leaf}, 0)
}

func (f *fleet) session(i int) *SessionKey {
	k := must(NewSessionKey(rand.Reader, i, f.now))
	k.Delegate(f.attestOne(i, k.Leaf(f.m)))
	return k
}

// start gives the fleet fresh machines that have read nothing.
func (f *fleet) start() *fleet {
	for i := range f.m.N {
		f.nodes = append(f.nodes, f.newActor(i))
	}
	f.desk = f.newDesk()
	return f
}

// post stores a message in its stream and shows it to every machine.
func (f *fleet) post(subject string, data []byte) {
	stream, ev := &f.sign, func(m LogMessage) Event { return SignMessage{m} }
	switch subject[:4] {
	case "dkg.":
		stream, ev = &f.keys, func(m LogMessage) Event { return KeysMessage{m} }
	case "work":
		stream, ev = &f.work, func(m LogMessage) Event { return TaskMessage{m, f.now} }
	}
	msg := LogMessage{Subject: subject, Seq: uint64(len(*stream) + 1), Time: f.now, Data: data}
	*stream = append(*stream, msg)
	for _, a := range f.nodes {
		a.do(ev(msg))
	}
	if f.desk != nil {
		f.desk.do(ev(msg))
	}
}

// say posts a body of node i, properly sealed.
func (f *fleet) say(slot Slot, body []byte) {
	f.post(slot.String(), f.sessions[slot.Node].Seal(f.m, slot.String(), body))
}

func (f *fleet) standing(log []LogMessage, subject string, judge func(LogMessage) Verdict) Verdict {
	for _, m := range log {
		if m.Subject == subject {
			if v := judge(m); v != Junk {
				return v
			}
		}
	}
	return Junk
}

// drain fills slots and publishes tasks as bus and programs do, until nobody
// wants anything any more.
func (f *fleet) drain() {
	for busy := true; busy; {
		busy = false
		for _, a := range f.nodes {
			for len(a.out) > 0 {
				busy = true
				w := a.out[0]
				a.out = a.out[1:]
				if !slices.Contains(a.mute, w.slot.Kind) {
					a.fill(w)
				}
			}
		}
		for f.desk != nil && len(f.desk.tasks) > 0 {
			busy = true
			p := f.desk.tasks[0]
			f.desk.tasks = f.desk.tasks[1:]
			if f.standing(f.work, p.Subject, func(m LogMessage) Verdict { return f.desk.JudgeTask(m, p.Body) }) == Junk {
				f.post(p.Subject, SealGateway(f.gateway, "gw", f.m, p.Subject, p.Body))
				if f.spoil != nil {
					f.spoil()
				}
			}
		}
	}
}

// task seals a task as the gateway does and posts it.
func (f *fleet) task(task *Task, jobID string) {
	subject := TaskSubject(task, jobID)
	f.post(subject, SealGateway(f.gateway, "gw", f.m, subject, encode(task)))
}

// job signs a payload for a client.
func (f *fleet) job(client string, kind Kind, payload []byte) SignedJob {
	return SignJob(f.clients[client], f.m.Fleet, kind, client, payload)
}

// keygen is a job for count keys; n makes its id.
func (f *fleet) keygen(n int, client, chain string, count int) SignedJob {
	return f.job(client, KindKeygen, mustJSON(Job{ID: jobID(n), Kind: KindKeygen, Expires: f.now.Add(30 * time.Minute), Chain: chain, Count: count}))
}

func (f *fleet) signing(n int, client string, items ...JobItem) SignedJob {
	return f.job(client, KindSign, mustJSON(Job{ID: jobID(n), Kind: KindSign, Expires: f.now.Add(10 * time.Minute), Items: items}))
}

func jobID(n int) string { return fmt.Sprintf("00000000-0000-7000-8000-%012x", n) }

func mustJSON(v any) []byte { return must(json.Marshal(v)) }

func (f *fleet) header(job SignedJob, part, attempt int) BatchHeader {
	f.t.Helper()
	j, err := job.Parse(f.now)
	if err != nil {
		f.t.Fatal(err)
	}
	return j.PartHeader(f.m, job.Client, job.Digest(f.m), part, attempt)
}

// actor is a worker's machine with what its program does at once: computing,
// storing, loading. What it wants published waits in out.
type actor struct {
	*Node
	f       *fleet
	store   map[string]*BatchRecord
	done    map[string]bool
	hold    bool // keep computations in held
	held    []Compute
	out     []wish
	reports []Report
	timers  []Timer
	fetch   []string
	failing error      // of Certify
	mute    []SlotKind // what drain does not publish
	said    *said
}

// said is what a node's HSM and nonces were used for, over all its lives.
type said struct {
	transcripts map[string][32]byte // by batch: what was certified
	points      map[string]string   // by session: the last public nonces
	shares      map[string][]byte   // by public nonces: the share made with them
}

// wish is a Publish with its body made.
type wish struct {
	slot Slot
	body []byte
}

func (f *fleet) newActor(i int) *actor {
	a := &actor{f: f, store: map[string]*BatchRecord{}, done: map[string]bool{},
		said: &said{map[string][32]byte{}, map[string]string{}, map[string][]byte{}}}
	a.Node = a.newNode(i, nil)
	return a
}

func (a *actor) newNode(i int, known map[string]KnownBatch) *Node {
	return NewNode(NodeConfig{
		Manifest: a.f.m, Access: a.f.access, Index: i, Rand: rand.Reader, Delay: time.Second, Known: known,
		Host: secret.New(slices.Clone(a.f.host[i][:])), Hedge: secret.New(make([]byte, 32)),
	})
}

// restart forgets what the process had in memory: the store stays, and the
// logs are read again, KEYS and SIGN before WORK.
func (a *actor) restart() {
	known := map[string]KnownBatch{}
	for id, r := range a.store {
		known[id] = KnownBatch{Transcript: r.Transcript, Complete: a.done[id]}
	}
	a.Node = a.newNode(a.Index, known)
	a.out, a.held, a.timers = nil, nil, nil
	for id, r := range a.store {
		if !a.done[id] {
			a.perform(a.Recertify(Certified{ID: id, Context: r.Context, Transcript: r.Transcript, Root: KeyRoot(r.Batch.PublicKeys, r.Header.Client)}))
		}
	}
	a.replay()
}

func (a *actor) replay() {
	for _, m := range a.f.keys {
		a.do(KeysMessage{m})
	}
	for _, m := range a.f.sign {
		a.do(SignMessage{m})
	}
	for _, m := range a.f.work {
		a.do(TaskMessage{m, a.f.now})
	}
}

func (a *actor) do(ev Event) { a.perform(a.Step(ev)) }

func (a *actor) perform(effects []Effect) {
	for _, effect := range effects {
		switch e := effect.(type) {
		case Compute:
			if a.hold {
				a.held = append(a.held, e)
			} else {
				a.do(e.Run())
			}
		case Publish:
			a.publish(e)
		case Certify:
			if a.failing != nil {
				a.do(CertifyFailed{ID: e.Record.ID, Code: CodeInternal, Err: a.failing})
				continue
			}
			a.store[e.Record.ID] = e.Record
			a.publish(e.Publish)
		case Complete:
			a.done[e.ID] = true
		case StoreRecovered:
			a.store[e.Record.ID], a.done[e.Record.ID] = e.Record, true
		case Load:
			a.do(Loaded{ID: e.ID, Keys: a.load(e.Keys)})
		case Refetch:
			a.fetch = append(a.fetch, e.ID)
		case After:
			a.timers = append(a.timers, e.Timer)
		case Report:
			a.reports = append(a.reports, e)
		default:
			a.f.t.Fatalf("node %d wants %T", a.Index, e)
		}
	}
}

func (a *actor) publish(e Publish) {
	body := e.Body
	if e.Leaf != nil {
		body = e.With(a.f.attestOne(a.Index, *e.Leaf))
	}
	a.out = append(a.out, wish{e.Slot, body})
	a.watch(e.Slot, body)
}

// watch ends the test when a node certifies a second transcript of a batch,
// or makes two shares with one pair of nonces (N3), whatever led to it.
func (a *actor) watch(slot Slot, body []byte) {
	switch slot.Kind {
	case SlotCert:
		c := must(decodeCertificate(body, a.Manifest, a.Index))
		if was, ok := a.said.transcripts[slot.ID]; ok && was != c.Transcript {
			a.f.t.Fatalf("node %d certified two transcripts of batch %s", a.Index, slot.ID)
		}
		a.said.transcripts[slot.ID] = c.Transcript
	case SlotCommit:
		var c commitBody
		must(0, decode(body, MaxMessageSize, &c))
		for _, was := range a.said.points {
			if was == string(c.Points) {
				a.f.t.Fatalf("node %d committed twice to the same nonces", a.Index)
			}
		}
		a.said.points[slot.ID] = string(c.Points)
	case SlotShare:
		points := a.said.points[slot.ID]
		if was, ok := a.said.shares[points]; ok && !bytes.Equal(was, body) {
			a.f.t.Fatalf("node %d made two shares with one pair of nonces", a.Index)
		}
		a.said.shares[points] = body
	}
}

// fill writes a slot as bus.PublishSlot does.
func (a *actor) fill(w wish) {
	log := a.f.sign
	if slotFamily[w.slot.Kind] == "dkg" {
		log = a.f.keys
	}
	switch a.f.standing(log, w.slot.String(), func(m LogMessage) Verdict { return a.Judge(w.slot, m, w.body) }) {
	case Junk:
		a.f.say(w.slot, w.body)
	case Other:
		a.do(SlotLost{w.slot})
	}
}

// compute runs what was held, in order.
func (a *actor) compute() {
	held := a.held
	a.held = nil
	for _, c := range held {
		a.do(c.Run())
	}
}

func (a *actor) load(ids []KeyID) []LoadedKey {
	keys := make([]LoadedKey, len(ids))
	for i, id := range ids {
		r := a.store[id.Batch]
		if r == nil || !a.done[id.Batch] || id.Index >= int(r.Header.K) {
			continue
		}
		suite := frost.Suite(r.Header.Suite)
		size := a.Manifest.T * suite.PointSize()
		keys[i] = LoadedKey{Owner: r.Header.Client, Key: &frost.Key{
			Suite: suite, N: a.Manifest.N, T: a.Manifest.T, Index: a.Index,
			PublicKey:   r.Batch.PublicKeys[id.Index],
			Commitments: r.Batch.Commitments[id.Index*size:][:size],
			Share:       secret.New(slices.Clone(r.Batch.Shares.Expose()[id.Index*32:][:32])),
		}}
	}
	return keys
}

// want returns the only message of a kind that the node wants published.
func (a *actor) want(kind SlotKind) wish {
	a.f.t.Helper()
	var found []wish
	for _, w := range a.out {
		if w.slot.Kind == kind {
			found = append(found, w)
		}
	}
	if len(found) != 1 {
		a.f.t.Fatalf("node %d wants to publish %d %s messages, want one; reports: %v", a.Index, len(found), kind, a.reports)
	}
	return found[0]
}

func (a *actor) reported(what ReportKind) (last Report, count int) {
	for _, r := range a.reports {
		if r.What == what {
			last = r
			count++
		}
	}
	return last, count
}

func (a *actor) expect(what ReportKind) Report {
	a.f.t.Helper()
	r, count := a.reported(what)
	if count == 0 {
		a.f.t.Fatalf("node %d: no report %q among %v", a.Index, what, a.reports)
	}
	return r
}

// desk is a gateway's machine with its program.
type desk struct {
	*Coordinator
	f        *fleet
	token    uint64
	hold     bool
	held     []Compute
	tasks    []PublishTask
	finished []Finish
	rejected []Reject
	replayed []Replay
	replaced []Supersede
	reports  []Report
	timers   []Timer
	fetch    []string
}

func (f *fleet) newDesk() *desk {
	return &desk{f: f, Coordinator: NewCoordinator(CoordinatorConfig{
		Manifest: f.m, Access: f.access, MaxBatches: 4, CommitWait: time.Second, ShareWait: time.Second,
		Address: func(chain, network string, key []byte) (string, error) {
			return fmt.Sprintf("%s:%s:%x", chain, network, key), nil
		},
	})}
}

// newLife is a gateway that starts and reads the log.
func (f *fleet) newLife() {
	f.desk = f.newDesk()
	for _, m := range f.keys {
		f.desk.do(KeysMessage{m})
	}
	for _, m := range f.work {
		f.desk.do(TaskMessage{m, f.now})
	}
	for _, m := range f.sign {
		f.desk.do(SignMessage{m})
	}
}

func (d *desk) do(ev Event) {
	for _, effect := range d.Step(ev) {
		switch e := effect.(type) {
		case Compute:
			if d.hold {
				d.held = append(d.held, e)
			} else {
				d.do(e.Run())
			}
		case PublishTask:
			d.tasks = append(d.tasks, e)
		case Finish:
			d.finished = append(d.finished, e)
		case Reject:
			d.rejected = append(d.rejected, e)
		case Replay:
			d.replayed = append(d.replayed, e)
		case Supersede:
			d.replaced = append(d.replaced, e)
		case After:
			d.timers = append(d.timers, e.Timer)
		case Report:
			d.reports = append(d.reports, e)
		case Refetch:
			d.fetch = append(d.fetch, e.ID)
		default:
			d.f.t.Fatalf("gateway wants %T", e)
		}
	}
}

// arrive delivers a job and returns its token.
func (d *desk) arrive(job SignedJob, existing []byte) uint64 {
	d.token++
	d.do(JobArrived{Token: d.token, Job: job, Stored: d.f.now, Existing: existing})
	return d.token
}

// result is the one result that the gateway wants stored.
func (d *desk) result() *Result {
	d.f.t.Helper()
	if len(d.finished) != 1 {
		d.f.t.Fatalf("%d results, want one; %d tasks wait, reports %v", len(d.finished), len(d.tasks), d.reports)
	}
	return d.finished[0].Result
}

// timeout fires the newest timer of a kind.
func (d *desk) timeout(kind TimerKind) {
	d.f.t.Helper()
	for i := len(d.timers) - 1; i >= 0; i-- {
		if d.timers[i].Kind == kind {
			d.do(d.timers[i])
			return
		}
	}
	d.f.t.Fatalf("no timer of kind %d", kind)
}

// aged is a 2-of-4 fleet that made two Bitcoin and two Solana keys for alice,
// and one Bitcoin key for bob. The keys are made once for all tests.
type aged struct {
	*fleet
	btc, sol, bob string // batch ids
}

var agedOnce = sync.OnceValue(func() aged {
	f := newFleet(panicker{}, 2, 4).start()
	ids := map[string]string{}
	for i, j := range []SignedJob{f.keygen(1, "alice", "bitcoin", 2), f.keygen(2, "alice", "solana", 2), f.keygen(3, "bob", "bitcoin", 1)} {
		f.desk.arrive(j, nil)
		f.drain()
		ids[fmt.Sprint(i)] = f.desk.finished[i].Result.Batches[0].ID
	}
	return aged{f, ids["0"], ids["1"], ids["2"]}
})

// agedFleet gives the aged fleet to one test: machines of its own that know
// the keys, and logs that hold the key generation only.
func agedFleet(t testing.TB) aged {
	t.Helper()
	old := agedOnce()
	f := *old.fleet
	f.t, f.nodes, f.desk, f.work, f.sign = t, nil, nil, nil, nil
	f.keys = slices.Clone(old.keys)
	f.start()
	for i, a := range f.nodes {
		a.store, a.done = old.nodes[i].store, old.nodes[i].done
		a.restart()
	}
	f.newLife()
	return aged{&f, old.btc, old.sol, old.bob}
}

// panicker is the testing.TB of what all tests share.
type panicker struct{ testing.TB }

func (panicker) Helper()                   {}
func (panicker) Fatal(args ...any)         { panic(fmt.Sprint(args...)) }
func (panicker) Fatalf(s string, a ...any) { panic(fmt.Sprintf(s, a...)) }

// item asks for a signature over a hash of text.
func item(batch string, index int, text string) JobItem {
	h := sha256.Sum256([]byte(text))
	return JobItem{Key: KeyID{batch, index}.String(), Message: h[:]}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}
