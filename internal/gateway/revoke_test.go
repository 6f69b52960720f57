package gateway

import (
	"crypto/ed25519"
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
