package providers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider/pkcs11"
	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/kmstest"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

// patience is for what takes a look at the device, of which there is one in 30
// seconds, and a cool-down of up to 30.
const patience = 5 * time.Minute

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// down waits until a node says, in readiness, log and metric, that its key
// provider fails for a reason; every other node is well all the while.
func down(t *testing.T, p *fleettest.Processes, node int, reason, inReadiness string) {
	t.Helper()
	eventually(t, "the node says why it is not ready", func() bool {
		ready, checks := p.Ready(node)
		return !ready && strings.Contains(checks["key_provider"], inReadiness)
	})
	if log := p.Log(fleettest.NodeName(node)); !strings.Contains(log, inReadiness) {
		t.Errorf("the log of node %d does not say %q", node, inReadiness)
	}
	for _, line := range []string{`frostfleet_provider_failing{reason="` + reason + `"} 1`, "frostfleet_provider_up 0"} {
		if !strings.Contains(p.Metrics(node), line) {
			t.Errorf("the metrics of node %d lack %s", node, line)
		}
	}
	for i := range 3 {
		if i == node {
			continue
		}
		if ready, checks := p.Ready(i); !ready {
			t.Errorf("node %d is not ready either: %v", i, checks)
		}
		if !strings.Contains(p.Metrics(i), "frostfleet_provider_up 1") {
			t.Errorf("the key provider of node %d is not up", i)
		}
	}
}

// TestDisabledKey: switching a KMS key off stops exactly that node, and
// switching it on brings the node back without a restart.
func TestDisabledKey(t *testing.T) {
	kmstest.Setenv(t)
	kms := kmstest.StartFaultKMS(t) // moto signs with disabled keys
	arns, sections := map[int]string{}, map[int]string{}
	for i := range 3 {
		arns[i], sections[i] = kmsNode(kms)
	}
	p := fleettest.StartProcesses(t, fleettest.Options{Providers: sections})
	p.AwaitReady()
	c := p.Client()
	keys := generate(t, c, "bitcoin", 3)
	sign(t, c, keys, "all are well")

	kms.Disable(arns[1])
	sign(t, c, keys, "one is disabled")
	down(t, p, 1, "disabled", "aws kms enable-key")
	sign(t, c, keys, "two are left")

	kms.Enable(arns[1])
	p.AwaitReady()
	keys = append(keys, generate(t, c, "bitcoin", 1)...) // needs all three
	sign(t, c, keys, "all are well again")
}

// TestDeletedToken: a fleet on SoftHSM survives the deletion of one node's
// token, and the node comes back with the token's backup.
func TestDeletedToken(t *testing.T) {
	hsm := softhsm.New(t)
	sections := map[int]string{}
	var first softhsm.Token
	for i, label := range []string{"trouble-0", "trouble-1", "trouble-2"} {
		made, section := token(t, hsm, label, pkcs11.HMAC)
		if sections[i] = section; i == 0 {
			first = made
		}
	}
	p := fleettest.StartProcesses(t, fleettest.Options{Providers: sections})
	p.AwaitReady()
	c := p.Client()
	keys := generate(t, c, "solana", 3)
	restore := hsm.Backup(t, first)

	hsm.Delete(t, first.Label)
	sign(t, c, keys, "one token is gone")
	down(t, p, 0, "not_found", first.Label)
	sign(t, c, keys, "two are left")

	restore()
	p.AwaitReady()
	keys = append(keys, generate(t, c, "solana", 1)...) // needs all three
	sign(t, c, keys, "all are well again")
}
