// Package fleet_test runs whole fleets, with real components, through what
// users and operators do, and through what goes wrong.
package fleet_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"
	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// verify checks a signature with btcec or crypto/ed25519, under the output
// key that txscript derives.
func verify(t testing.TB, publicKey, message []byte, s wire.Signed) {
	t.Helper()
	if len(publicKey) == ed25519.PublicKeySize {
		if !ed25519.Verify(publicKey, message, s.Signature) {
			t.Fatalf("signature by %s does not verify", s.Key)
		}
		return
	}
	internal, err := btcec.ParsePubKey(publicKey)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := schnorr.ParseSignature(s.Signature)
	if err != nil {
		t.Fatal(err)
	}
	if !sig.Verify(message, txscript.ComputeTaprootKeyNoScript(internal)) {
		t.Fatalf("signature by %s does not verify", s.Key)
	}
}

func TestAddressesAndSignatures(t *testing.T) {
	f := fleettest.Start(t, fleettest.Options{Network: "testnet"})
	r := newRaw(t, f)
	taproot := r.keygen(f, "bitcoin", 7)
	for _, k := range taproot {
		internal, err := btcec.ParsePubKey(k.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		want, err := btcutil.NewAddressTaproot(
			schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(internal)),
			&chaincfg.TestNet3Params,
		)
		if err != nil {
			t.Fatal(err)
		}
		if k.Address != want.EncodeAddress() || !strings.HasPrefix(k.Address, "tb1p") {
			t.Errorf("address %s, btcutil has %s", k.Address, want)
		}
	}
	r.mustSign(taproot)
	solana := r.keygen(f, "solana", 5)
	for _, k := range solana {
		if raw, err := base58.Decode(k.Address); err != nil || string(raw) != string(k.PublicKey) {
			t.Errorf("address %s is not the key %x", k.Address, []byte(k.PublicKey))
		}
	}
	r.mustSign(solana)
}

// One job of more keys than a batch holds becomes several batches, each with
// certificates of its own.
func TestOneJobOfSeveralBatches(t *testing.T) {
	f := fleettest.Start(t, fleettest.Options{})
	r := newRaw(t, f)
	keys := r.keygen(f, "solana", 2100)
	r.mustSign([]wire.Key{keys[0], keys[999], keys[1000], keys[2099]})
}

func TestOtherThresholds(t *testing.T) {
	for _, o := range []fleettest.Options{{N: 1, T: 1}, {N: 2, T: 2}, {N: 4, T: 3}} {
		f := fleettest.Start(t, o)
		r := newRaw(t, f)
		r.mustSign(r.keygen(f, "bitcoin", 2))
		r.mustSign(r.keygen(f, "solana", 2))
		f.Stop()
	}
}

func TestSignsWithNodesDownAndAfterTheyLostEverything(t *testing.T) {
	f := fleettest.Start(t, fleettest.Options{})
	r := newRaw(t, f)
	keys := r.keygen(f, "bitcoin", 3)
	f.StopNode(0)
	r.mustSign(keys)
	f.WipeNode(0)
	f.StartNode(0)
	f.StopNode(1) // now the node that lost its storage is needed
	r.mustSign(keys)
}

func TestJobsSurviveAGatewayRestart(t *testing.T) {
	f := fleettest.Start(t, fleettest.Options{})
	r := newRaw(t, f)
	keys := r.keygen(f, "bitcoin", 3)
	f.StopGateway()
	j := signJob(keys[0].ID)
	if err := r.publish(r.sign(j.Kind, payload(t, j))); err != nil {
		t.Fatal(err)
	}
	f.StartGateway()
	if result := r.answer(j.ID); result.Status != wire.StatusDone {
		t.Fatalf("result %+v", result)
	}
}

// Whoever knows a job can compute where its round messages will go, and be
// there first with junk. It must not count.
func TestJunkInSlotsIsSkipped(t *testing.T) {
	f := fleettest.Start(t, fleettest.Options{})
	r := newRaw(t, f)
	j := job(wire.KindKeygen)
	s := r.sign(j.Kind, payload(t, j))
	ctx := j.PartHeader(f.Manifest, s.Client, s.Digest(f.Manifest), 0, 0).Context(f.Manifest)
	for i := range f.Manifest.N {
		for _, kind := range []wire.SlotKind{wire.SlotDeal, wire.SlotCert, wire.SlotAbort} {
			slot := wire.Slot{Kind: kind, ID: hex.EncodeToString(ctx[:16]), Node: i}
			if _, err := r.bus.Publish(t.Context(), slot.String(), []byte("junk"), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	result := r.do(s)
	if result.Status != wire.StatusDone || result.Attempts != 1 {
		t.Fatalf("status %s after %d attempts: %s", result.Status, result.Attempts, result.Error)
	}
	r.mustSign(result.Keys)
}

func TestNodeRefusesToStartWhenItsFileDisagrees(t *testing.T) {
	f := fleettest.Prepare(t, fleettest.Options{})
	start := func(change func(*config.Node)) string {
		n := f.NodeConfig(0)
		change(n)
		err := launch.Node(t.Context(), n, launch.Options{Log: discard})
		if err == nil {
			t.Fatal("the node started")
		}
		return err.Error()
	}
	for name, c := range map[string]struct {
		change func(*config.Node)
		want   []string
	}{
		"threshold": {func(n *config.Node) { n.Node.MinSigners = 3 }, []string{"min_signers", "is 3", "t = 2"}},
		"nodes":     {func(n *config.Node) { n.Node.MaxSigners = 5 }, []string{"max_signers", "is 5", "n = 3"}},
		"network":   {func(n *config.Node) { n.Network.Type = "signet" }, []string{"network.type", "signet", "regtest"}},
		"index":     {func(n *config.Node) { n.Node.Index = 1 }, []string{"identity key", "node 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := start(c.change)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("error %q lacks %q", got, want)
				}
			}
		})
	}
}

func TestOneProcessForANode(t *testing.T) {
	f := fleettest.Start(t, fleettest.Options{})
	err := launch.Node(t.Context(), f.NodeConfig(0), launch.Options{Log: discard})
	if err == nil || !strings.Contains(err.Error(), "another process") {
		t.Fatalf("a second process with the same storage: %v", err)
	}
}

func TestBusyClientIsTold(t *testing.T) {
	f := fleettest.Prepare(t, fleettest.Options{}) // nobody works the jobs off
	r := newRaw(t, f)
	var busy error
	for range 1000 {
		j := job(wire.KindKeygen)
		if busy = r.publish(r.sign(j.Kind, payload(t, j))); busy != nil {
			break
		}
	}
	var want *bus.BusyError
	if !asBusy(busy, &want) {
		t.Fatalf("a client that floods hears %v", busy)
	}
}
