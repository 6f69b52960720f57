package gateway

import (
	"crypto/ed25519"
	"encoding/hex"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

// TestSetAccess: the jobs of a client that is taken off the list end, later ones are
// turned away, and a gateway that is revoked itself is not ready.
func TestSetAccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g, _ := w.start()
	job, id := w.newJob(time.Minute)
	w.Publish(job)
	inWork(t, g, 1)
	public := w.GatewayKey.Public().(ed25519.PublicKey)
	list := func(r wire.Revoked) *wire.Access {
		a, err := wire.NewAccess(nil, map[string]ed25519.PublicKey{machinetest.Gateway: public}, r)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	g.SetAccess(list(wire.Revoked{}))
	if r := w.Result(id); r.Code != wire.CodeUnknownClient {
		t.Errorf("the job in work ended with %s: %s", r.Code, r.Error)
	}
	job, id = w.newJob(time.Minute)
	w.Publish(job)
	if r := w.Result(id); r.Code != wire.CodeUnknownClient || len(r.Rejected) == 0 {
		t.Errorf("the next job ended with %s: %s", r.Code, r.Error)
	}
	if err := g.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
	for name, r := range map[string]wire.Revoked{"revoked": {Gateways: []string{machinetest.Gateway}}} {
		g.SetAccess(list(r))
		if g.Ready() == nil {
			t.Errorf("a gateway that is %s is ready", name)
		}
	}
	g.SetAccess(w.Access)
	if err := g.Ready(); err != nil {
		t.Errorf("taken back: %v", err)
	}
}

// signed are the headers of a result by a gateway.
func (w *world) signed(gateway string, key ed25519.PrivateKey, job string, payload []byte) map[string][]string {
	sig := ed25519.Sign(key, wire.ResultSigningInput(w.Manifest, machinetest.Client, job, payload))
	return map[string][]string{wire.HeaderGateway: {gateway}, wire.HeaderSignature: {hex.EncodeToString(sig)}}
}

// list adds a gateway to the access list, and returns its key.
func (w *world) list(name string) ed25519.PrivateKey {
	w.Helper()
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		w.Fatal(err)
	}
	w.Access, err = wire.NewAccess(
		[]wire.Client{{Name: machinetest.Client, Key: w.ClientKey.Public().(ed25519.PublicKey), Kinds: wire.Kinds}},
		map[string]ed25519.PublicKey{machinetest.Gateway: w.GatewayKey.Public().(ed25519.PublicKey), name: public})
	if err != nil {
		w.Fatal(err)
	}
	return key
}

// TestRevokedGatewayTakesNoJobs: a gateway that nobody hears any more leaves all jobs to
// those that are heard, also the ones that it had begun, and comes back when it is.
func TestRevokedGatewayTakesNoJobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	revoked := w.config()
	revoked.Name, revoked.Key = "gateway1", w.list("gateway1")
	revoked.Access = w.Access
	g := New(revoked)
	machinetest.Run(t, g.Run)
	eventually(t, "the gateway is ready", func() bool { return g.Ready() == nil })
	first, begun := w.newJob(10 * time.Minute)
	w.Publish(first)
	inWork(t, g, 1)
	both := w.Access
	w.Access = w.without("gateway1")
	g.SetAccess(w.Access)
	_, stop := w.start()
	w.startNode()
	left := map[string]bool{begun: true}
	for range 20 {
		job, id := w.newJob(10 * time.Minute)
		w.Publish(job)
		left[id] = true
	}
	for len(left) > 0 {
		r := w.Result("") // by a gateway that is heard
		if r.Status != wire.StatusDone {
			t.Fatalf("%s: %s", r.Code, r.Error)
		}
		delete(left, r.Job)
	}
	w.Access = both
	g.SetAccess(both)
	eventually(t, "the gateway is ready again", func() bool { return g.Ready() == nil })
	stop() // the other one
	job, _ := w.newJob(10 * time.Minute)
	w.Publish(job)
	eventually(t, "it has a job again", func() bool { return len(g.held.tokens()) == 1 })
}

// without is the access list without one of its gateways.
func (w *world) without(name string) *wire.Access {
	w.Helper()
	a, err := wire.NewAccess(
		[]wire.Client{{Name: machinetest.Client, Key: w.ClientKey.Public().(ed25519.PublicKey), Kinds: wire.Kinds}},
		map[string]ed25519.PublicKey{machinetest.Gateway: w.GatewayKey.Public().(ed25519.PublicKey)},
		wire.Revoked{Gateways: []string{name}})
	if err != nil {
		w.Fatal(err)
	}
	return a
}

// TestResultOfARevokedGateway: what a gateway stored that no client believes any more
// is no answer, and keeps no job from having one.
func TestResultOfARevokedGateway(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} { // it is there before the job, or comes while that is in work
		w := newWorld(t)
		job, id := w.newJob(time.Minute)
		digest := job.Digest(w.Manifest)
		forged := (&wire.Result{
			Job: id, Client: machinetest.Client, Kind: job.Kind, Digest: digest[:], Status: wire.StatusFailed,
			Code: wire.CodeInternal, Error: "by a thief",
		}).Encode()
		_, stolen, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		g, _ := w.start()
		if late {
			w.Publish(job)
			inWork(t, g, 1)
		}
		subject := wire.StoredResultSubject(machinetest.Client, id)
		w.store(subject, forged, w.signed("gateway9", stolen, id, forged))
		<-w.Results // its announcement
		if !late {
			w.Publish(job)
		}
		w.startNode()
		if r := w.Result(id); r.Status != wire.StatusDone {
			t.Errorf("late %v: %s: %s", late, r.Code, r.Error)
		}
		eventually(t, "the job is acknowledged", func() bool { return w.open() == 0 })
	}
}
