package protocol

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"github.com/frostfleet/frostfleet/internal/wire"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"
)

// fleet is everything secret and public of a test's fleet, its logs, and its
// machines, driven by hand: nothing moves unless a test says so.
type fleet struct {
	t        testing.TB
	m        *wire.Manifest
	access   *wire.Access
	identity []*ecdsa.PrivateKey // in place of the HSMs
	host     [][32]byte
	sessions []*wire.SessionKey
	gateway  ed25519.PrivateKey
	clients  map[string]ed25519.PrivateKey

	now                   time.Time
	dkg, keys, sign, work []wire.LogMessage
	nodes                 []*actor
	desk                  *desk
	spoil                 func() // called when drain posted a task
	step                  stepper
	aside                 outsider
	divide                Each
	skew                  time.Duration // of the server that leads SIGN

	lineage   *wire.Lineage // nil: m alone
	successor [32]byte      // that operators approved
	abreast   *fleet        // of another manifest, on the same bus
}

// stepper steps a machine, and may look at what it does.
type stepper func(who string, ev Event, step func(Event) []Effect) []Effect

func plainStep(_ string, ev Event, step func(Event) []Effect) []Effect { return step(ev) }

// outsider does what a program does outside its machine's step, and may look at what it takes.
type outsider func(who, what string, do func())

func plainAside(_, _ string, do func()) { do() }

// atOnce makes all calls at the same time.
func atOnce(n int, do func(int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
}

// someBatch is the id of a batch that nobody made.
const someBatch = "0123456789abcdef0123456789abcdef"

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// t0 is when every test begins.
var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// The clients: alice and bob may do everything, carol only signs.
var clientKinds = map[string][]wire.Kind{
	"alice": {wire.KindKeygen, wire.KindSign},
	"bob":   {wire.KindKeygen, wire.KindSign},
	"carol": {wire.KindSign},
}

// newFleet draws the keys of a fleet without machines.
func newFleet(t testing.TB, threshold, n int, change ...func(*wire.Manifest)) *fleet {
	t.Helper()
	f := &fleet{t: t, now: t0, clients: map[string]ed25519.PrivateKey{}, step: plainStep, aside: plainAside, divide: atOnce}
	m := &wire.Manifest{Version: 1, Fleet: "test", Network: "regtest", N: n, T: threshold, AttestSigning: true}
	for i := range n {
		id := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
		host := must(ecdh.X25519().GenerateKey(rand.Reader))
		f.identity, f.host = append(f.identity, id), append(f.host, [32]byte(host.Bytes()))
		m.Nodes = append(
			m.Nodes,
			wire.NodeCard{Index: i, Identity: must(id.PublicKey.Bytes()), Encryption: host.PublicKey().Bytes()},
		)
	}
	for _, c := range change {
		c(m)
	}
	f.check(m.Seal())
	f.m = m
	var clients []wire.Client
	for _, name := range slices.Sorted(maps.Keys(clientKinds)) {
		kinds := clientKinds[name]
		pub, key, _ := ed25519.GenerateKey(rand.Reader)
		f.clients[name] = key
		clients = append(clients, wire.Client{Name: name, Key: pub, Kinds: kinds})
	}
	pub, key, _ := ed25519.GenerateKey(rand.Reader)
	f.gateway = key
	f.access = must(wire.NewAccess(clients, map[string]ed25519.PublicKey{"gw": pub}))
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
func (f *fleet) attest(i int, leaves [][32]byte, which int) *wire.Attestation {
	digest := wire.AttestDigest(f.m, leaves)
	return wire.NewAttestations(leaves, must(ecdsa.SignASN1(rand.Reader, f.identity[i], digest[:])))[which]
}

func (f *fleet) attestOne(i int, leaf [32]byte) *wire.Attestation {
	return f.attest(i, [][32]byte{leaf}, 0)
}

func (f *fleet) session(i int) *wire.SessionKey {
	k := must(wire.NewSessionKey(rand.Reader, i, f.now))
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
	f.take(subject, data)
	if f.abreast != nil {
		f.abreast.take(subject, data)
	}
}

func (f *fleet) take(subject string, data []byte) {
	stream, ev := &f.sign, func(m wire.LogMessage) Event { return SignMessage{m, f.now} }
	switch subject[:4] {
	case "dkg.", "resh":
		stream, ev = &f.dkg, func(m wire.LogMessage) Event { return RoundsMessage{m} }
	case "entr":
		stream, ev = &f.keys, func(m wire.LogMessage) Event { return ReadKeys(f.known(), m) }
	case "work", "move":
		stream, ev = &f.work, func(m wire.LogMessage) Event { return TaskMessage{m, f.now} }
	}
	msg := wire.LogMessage{Subject: subject, Seq: uint64(len(*stream) + 1), Time: f.now, Data: data}
	if stream == &f.sign {
		msg.Time = f.now.Add(f.skew)
	}
	*stream = append(*stream, msg)
	for _, a := range f.nodes {
		f.showOne(a, a.name(), ev, msg)
	}
	if f.desk != nil {
		f.showOne(f.desk, "gateway", ev, msg)
	}
}

// showOne has one program read a message.
func (f *fleet) showOne(to interface{ do(Event) }, who string, ev func(wire.LogMessage) Event, msg wire.LogMessage) {
	var e Event
	f.aside(who, "read", func() { e = ev(msg) })
	to.do(e)
}

// say posts a body of node i, properly sealed.
func (f *fleet) say(slot wire.Slot, body []byte) {
	f.post(slot.String(), f.sessions[slot.Node].Seal(f.m, slot.String(), body))
}

// known are the manifests that the fleet's programs go by.
func (f *fleet) known() wire.ManifestSet {
	if f.lineage != nil {
		return f.lineage
	}
	return f.m
}

func (f *fleet) standing(log []wire.LogMessage, subject string, judge func(wire.LogMessage) wire.Verdict) wire.Verdict {
	for _, m := range log {
		if m.Subject == subject {
			if v := judge(m); v != wire.Junk {
				return v
			}
		}
	}
	return wire.Junk
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
		busy = f.flush() || busy
		for f.desk != nil && len(f.desk.tasks) > 0 {
			busy = true
			p := f.desk.tasks[0]
			f.desk.tasks = f.desk.tasks[1:]
			if f.standing(
				f.work,
				p.Subject,
				func(m wire.LogMessage) wire.Verdict { return f.desk.JudgeTask(m, p.Body) },
			) == wire.Junk {
				var sealed []byte
				f.aside("gateway", "seal", func() { sealed = wire.SealGateway(f.gateway, "gw", f.m, p.Subject, p.Body) })
				f.post(p.Subject, sealed)
				if f.spoil != nil {
					f.spoil()
				}
			}
		}
	}
}

// write stores an entry as the gateway's program does: what stands under its subjects
// already is passed over where it is junk, and left where it is the same.
func (f *fleet) write(e WriteEntry) {
	entry := must(wire.VerifyEntry(e.Head, f.known()))
	f.writeValue(wire.EntryHeadSubject(e.ID, e.Generation), e.Head, func(data []byte) bool {
		standing, err := wire.VerifyEntry(data, f.known())
		return err == nil && standing.Same(entry)
	})
	for i, deal := range e.Deals {
		subject := wire.EntryDealSubject(e.ID, e.Generation, i)
		f.writeValue(subject, deal, func(data []byte) bool { return entry.VerifyDeal(i, data) == nil })
	}
}

func (f *fleet) writeValue(subject string, data []byte, isValue func([]byte) bool) {
	for _, m := range f.keys {
		if m.Subject == subject && isValue(m.Data) {
			return
		}
	}
	f.post(subject, data)
}

// flush writes what the gateway wants in the register.
func (f *fleet) flush() (wrote bool) {
	for f.desk != nil && len(f.desk.writes) > 0 {
		e := f.desk.writes[0]
		f.desk.writes = f.desk.writes[1:]
		f.write(e)
		f.desk.do(e.done())
		wrote = true
	}
	return wrote
}

// done is KEYS acknowledging an entry.
func (e WriteEntry) done() EntryWritten {
	return EntryWritten{ID: e.ID, Generation: e.Generation, Job: e.Job, Trace: e.Trace}
}

// show has a machine read the rounds and the register.
func (f *fleet) show(to interface{ do(Event) }) {
	for _, m := range f.dkg {
		to.do(RoundsMessage{m})
	}
	for _, m := range f.keys {
		to.do(ReadKeys(f.known(), m))
	}
}

// task seals a task as the gateway does and posts it.
func (f *fleet) task(task *wire.Task, jobID string) {
	subject := wire.TaskSubject(task, jobID)
	f.post(subject, wire.SealGateway(f.gateway, "gw", f.m, subject, wire.Encode(task)))
}

// job signs a payload for a client.
func (f *fleet) job(client string, kind wire.Kind, payload []byte) wire.SignedJob {
	return wire.SignJob(f.clients[client], f.m, kind, client, payload)
}

// keygen is a job for count keys; n makes its id.
func (f *fleet) keygen(n int, client, chain string, count int) wire.SignedJob {
	return f.job(
		client,
		wire.KindKeygen,
		mustJSON(
			wire.Job{ID: jobID(n), Kind: wire.KindKeygen, Expires: f.now.Add(30 * time.Minute), Chain: chain, Count: count},
		),
	)
}

func (f *fleet) signing(n int, client string, items ...wire.JobItem) wire.SignedJob {
	return f.job(
		client,
		wire.KindSign,
		mustJSON(wire.Job{ID: jobID(n), Kind: wire.KindSign, Expires: f.now.Add(10 * time.Minute), Items: items}),
	)
}

func jobID(n int) string { return fmt.Sprintf("00000000-0000-7000-8000-%012x", n) }

func mustJSON(v any) []byte { return must(json.Marshal(v)) }

func (f *fleet) header(job wire.SignedJob, part, attempt int) wire.BatchHeader {
	f.t.Helper()
	j, err := job.Parse(f.now)
	if err != nil {
		f.t.Fatal(err)
	}
	return j.PartHeader(f.m, job.Client, job.Digest(f.m), part, attempt)
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
	for i, j := range []wire.SignedJob{f.keygen(1, "alice", "bitcoin", 2), f.keygen(2, "alice", "solana", 2), f.keygen(3, "bob", "bitcoin", 1)} {
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
	f.dkg, f.keys = slices.Clone(old.dkg), slices.Clone(old.keys)
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
func item(batch string, index int, text string) wire.JobItem {
	h := sha256.Sum256([]byte(text))
	return wire.JobItem{Key: wire.KeyID{Batch: batch, Index: index}.String(), Message: h[:]}
}

// below is an item under a child of its key.
func below(it wire.JobItem, path string) wire.JobItem {
	it.Path = &path
	return it
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}
