package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// batch is the size of the job that is disturbed.
const batch = 5000

// Killing any program in the middle of a large job and starting it again
// finishes the job, with exactly the keys that were asked for, each of which
// signs.
func TestKillInTheMiddleOfABatch(t *testing.T) {
	for _, c := range []struct {
		victim string
		start  func(*fleettest.Processes)
	}{
		{fleettest.NodeName(0), func(p *fleettest.Processes) { p.StartNode(0) }},
		{fleettest.NodeName(2), func(p *fleettest.Processes) { p.StartNode(2) }},
		{fleettest.GatewayName, (*fleettest.Processes).StartGateway},
	} {
		for _, after := range []time.Duration{300 * time.Millisecond, 1100 * time.Millisecond} {
			t.Run(fmt.Sprintf("%s after %s", c.victim, after), func(t *testing.T) {
				p := fleettest.StartProcesses(t, fleettest.Options{})
				user := p.Client()
				if _, err := user.Keygen(t.Context(), client.KeygenRequest{Chain: "bitcoin", Count: 1}); err != nil {
					t.Fatal(err) // the fleet is up
				}
				keys := make(chan []client.Key, 1)
				go func() {
					result, err := user.Keygen(t.Context(), client.KeygenRequest{
						Chain: "bitcoin", Count: batch, Expires: time.Now().Add(15 * time.Minute),
					})
					if err != nil {
						t.Error(err)
						result = &client.KeygenResult{}
					}
					keys <- result.Keys
				}()
				time.Sleep(after)
				p.Kill(c.victim)
				c.start(p)
				checkKeys(t, user, <-keys)
			})
		}
	}
}

// checkKeys wants exactly batch distinct keys, and a signature by each. The
// client verifies certificates, addresses and signatures.
func checkKeys(t *testing.T, c *client.Client, keys []client.Key) {
	t.Helper()
	if len(keys) != batch {
		t.Fatalf("%d keys, want %d", len(keys), batch)
	}
	seen := map[string]bool{}
	for _, k := range keys {
		if seen[k.ID] || seen[k.Address] {
			t.Fatalf("key %s or its address occurs twice", k.ID)
		}
		seen[k.ID], seen[k.Address] = true, true
	}
	mustSign(t, c, keys)
}

func mustSign(t *testing.T, c *client.Client, keys []client.Key) {
	t.Helper()
	items := make([]client.SignItem, len(keys))
	for i, k := range keys {
		items[i] = client.SignItem{Key: k.ID, PublicKey: k.PublicKey, Message: make([]byte, 32)}
	}
	signed, err := c.Sign(t.Context(), client.SignRequest{Items: items})
	if err != nil {
		t.Fatal(err)
	}
	if len(signed.Signatures) != len(keys) {
		t.Fatalf("%d signatures, want %d", len(signed.Signatures), len(keys))
	}
}

// A node that lost its storage rebuilds it from the log and signs again.
func TestNodeRebuildsItsStorage(t *testing.T) {
	p := fleettest.StartProcesses(t, fleettest.Options{})
	c := p.Client()
	result, err := c.Keygen(t.Context(), client.KeygenRequest{Chain: "bitcoin", Count: 1200})
	if err != nil {
		t.Fatal(err)
	}
	p.Kill(fleettest.NodeName(0))
	if err := os.RemoveAll(filepath.Join(p.Dir, "node0", "data")); err != nil {
		t.Fatal(err)
	}
	p.StartNode(0)
	p.Kill(fleettest.NodeName(1)) // now node 0 is needed
	mustSign(t, c, result.Keys[1100:])
}
