package awskms

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

const east, west = kmstest.Region, "eu-west-1"

// replicated gives a node with both keys in two regions. It does not hedge, as
// on a busy machine that would happen anyway.
func replicated(t testing.TB) (f *kmstest.FaultKMS, o Options, log *logged) {
	t.Helper()
	kmstest.Setenv(t)
	f, log = kmstest.StartFaultKMS(t), &logged{}
	o.KeyID, o.DerivationKeyID = f.CreateKey(kmstest.Identity.Multi()), f.CreateKey(kmstest.Derivation.Multi())
	o.Regions, o.HedgeAfter.Duration = []string{east, west}, time.Minute
	o.Endpoint, o.Log = f.URL, log.logger()
	f.Replicate(o.KeyID, west)
	f.Replicate(o.DerivationKeyID, west)
	return f, o, log
}

func inWest(arn string) string { return strings.Replace(arn, east, west, 1) }

// TestFailover: the node signs and derives the same while its first region
// fails in each way that may pass.
func TestFailover(t *testing.T) {
	f, o, log := replicated(t)
	want, err := open(t, o).Derive(t.Context(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	for name, fault := range map[string]fault{
		"dropped": {Drop: true}, "throttled": {Code: "ThrottlingException"},
		"5xx":       {Code: "KMSInternalException", Status: 500},
		"truncated": {Truncate: true}, "garbage": {Body: "<html>"}, "hangs": {Hang: true},
		"spoilt": {Change: func(out map[string]any) {
			for _, field := range []string{"Signature", "Mac"} {
				if b, ok := out[field].([]byte); ok {
					out[field] = b[:20]
				}
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f.Everywhere()
			o := o
			if fault.Hang {
				o.HedgeAfter.Duration = defaultHedge
			}
			p := open(t, o)
			fault.Region = east
			f.Everywhere(fault)
			before, westBefore := f.CallsIn(east, kmstest.Sign), f.CallsIn(west, kmstest.Sign)
			for range 3 {
				if _, err := p.Sign(t.Context(), [32]byte{1}); err != nil {
					t.Fatal(err)
				}
				if got, err := p.Derive(t.Context(), []byte("x")); err != nil || got != want {
					t.Fatalf("another value, or %v", err)
				}
			}
			failed, worked := f.CallsIn(east, kmstest.Sign)-before, f.CallsIn(west, kmstest.Sign)-westBefore
			if failed != 1 || worked != 3 {
				t.Errorf("%d signatures asked of the failing region, %d of the other", failed, worked)
			}
			if err := p.Probe(t.Context()); err != nil {
				t.Errorf("Probe: %v", err)
			}
		})
	}
	if !strings.Contains(log.String(), "KMS region fails") {
		t.Error("nobody was told")
	}
}

// TestRefusalsDoNotFailOver: the replica would serve, and is not asked.
func TestRefusalsDoNotFailOver(t *testing.T) {
	f, o, _ := replicated(t)
	p := open(t, o)
	before := f.CallsIn(west, kmstest.Sign)
	f.Disable(o.KeyID)
	_, err := p.Sign(t.Context(), [32]byte{1})
	wants(t, err, keyprovider.Disabled, "us-east-1: ")
	wants(t, p.Probe(t.Context()), keyprovider.Disabled)
	f.Enable(o.KeyID)
	f.Deny(o.KeyID, "kms:Sign")
	_, err = p.Sign(t.Context(), [32]byte{1})
	wants(t, err, keyprovider.Denied)
	if n := f.CallsIn(west, kmstest.Sign); n != before {
		t.Fatalf("asked the other region %d times", n-before)
	}
	// The replica refuses, and the first region fails: that may pass.
	f.Deny(o.KeyID)
	f.Disable(inWest(o.KeyID))
	f.Fault(kmstest.Sign, fault{Drop: true, Region: east})
	_, err = p.Sign(t.Context(), [32]byte{1})
	wants(t, err, keyprovider.Unavailable, "us-east-1: ", "also disabled: eu-west-1: ")
}

// TestReplicaThatRefuses: one that may not be used is noticed by Open, and one
// that is taken away later makes the node no worse than none.
func TestReplicaThatRefuses(t *testing.T) {
	f, o, _ := replicated(t)
	p := open(t, o)
	f.Deny(inWest(o.KeyID), "kms:Sign")
	_, err := Open(t.Context(), o)
	wants(t, err, keyprovider.Denied, "needs kms:Sign on "+inWest(o.KeyID))
	f.Deny(inWest(o.KeyID))
	f.Deny(inWest(o.DerivationKeyID), "kms:GenerateMac")
	_, err = Open(t.Context(), o)
	wants(t, err, keyprovider.Denied, "needs kms:GenerateMac on "+inWest(o.DerivationKeyID))

	f.Deny(inWest(o.KeyID), "kms:Sign")
	h := keyprovider.Supervise(p, keyprovider.Policy{Name: Type}, nil)
	throttled := fault{Code: "ThrottlingException", Region: east, Times: 1}
	f.Fault(kmstest.Sign, throttled)
	if _, err := h.Sign(t.Context(), [32]byte{1}); err != nil {
		t.Errorf("one throttled call: %v", err)
	}
	f.Fault(kmstest.GenerateMac, throttled)
	if _, err := h.Derive(t.Context(), []byte("x")); err != nil {
		t.Errorf("one throttled call: %v", err)
	}
}

// TestDescribeWithoutARegion: one that swallows everything is a warning, and
// keeps nobody waiting for the others.
func TestDescribeWithoutARegion(t *testing.T) {
	f, o, _ := replicated(t)
	o.reach = 8 * time.Second
	p := open(t, o)
	f.Everywhere(fault{Hang: true, Region: east})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	facts, err := p.Describe(ctx)
	text := fmt.Sprintf("%q", facts)
	if err != nil || strings.Count(text, "not reached now") != 2 ||
		!strings.Contains(text, inWest(o.DerivationKeyID)+", HMAC_256") {
		t.Errorf("%v: %s", err, text)
	}
	f.Everywhere(fault{Drop: true})
	if _, err := p.Describe(t.Context()); keyprovider.ReasonOf(err) != keyprovider.Unavailable {
		t.Errorf("no region: %v", err)
	}
	f.Everywhere()
	f.Disable(inWest(o.KeyID))
	_, err = p.Describe(t.Context())
	wants(t, err, keyprovider.Disabled, west)
}

// TestOpenRegions: what Open wants of several regions.
func TestOpenRegions(t *testing.T) {
	f, good, _ := replicated(t)
	single := f.CreateKey(kmstest.Identity)
	f.CreateAlias(east, "alias/single", single)
	f.CreateAlias(west, "alias/single", f.CreateKey(kmstest.Identity.In(west)))
	other := f.CreateKey(kmstest.Identity.Multi())
	f.Replicate(other, west)
	f.CreateAlias(east, "alias/mixed", good.KeyID)
	f.CreateAlias(west, "alias/mixed", inWest(other))
	f.CreateAlias(east, "alias/half", good.KeyID)
	f.CreateAlias(east, "alias/good", good.KeyID)
	f.CreateAlias(west, "alias/good", inWest(good.KeyID))
	alone := f.CreateKey(kmstest.Derivation.Multi())
	with := func(keyID, derivation string) Options {
		o := good
		o.KeyID, o.DerivationKeyID = keyID, derivation
		return o
	}
	for name, c := range map[string]struct {
		o      Options
		spoil  func()
		reason keyprovider.Reason
		words  []string
	}{
		"good":          {good, nil, keyprovider.OK, nil},
		"alias":         {with("alias/good", ""), nil, keyprovider.OK, nil},
		"alias ARN":     {with("arn:aws:kms:us-east-1:123456789012:alias/good", ""), nil, keyprovider.OK, nil},
		"replica's ARN": {with(inWest(good.KeyID), ""), nil, keyprovider.OK, nil},
		"not mrk":       {with(single, ""), nil, keyprovider.WrongKey, []string{"in us-east-1 alone"}},
		"alias not mrk": {with("alias/single", ""), nil,
			keyprovider.WrongKey, []string{"regions has 2 regions", "--multi-region"}},
		"alias of two keys": {with("alias/mixed", ""), nil,
			keyprovider.WrongKey, []string{"different keys", "aws kms replicate-key --region us-east-1"}},
		"alias in one": {with("alias/half", ""), nil, keyprovider.NotFound, []string{"no such alias in eu-west-1"}},
		"no replica": {with(good.KeyID, alone), nil,
			keyprovider.NotFound, []string{"no such key in eu-west-1", "check derivation_key_id"}},
		"replica disabled": {good, func() { f.Disable(inWest(good.KeyID)) },
			keyprovider.Disabled, []string{"--region eu-west-1"}},
		"replica denied": {good, func() { f.Deny(inWest(good.KeyID), "kms:DescribeKey") },
			keyprovider.Denied, []string{"eu-west-1"}},
		"public key denied": {good, func() { f.Deny(inWest(good.KeyID), "kms:GetPublicKey") }, keyprovider.OK, nil},
		"MAC as proof":      {good, func() { f.Deny(inWest(good.DerivationKeyID), "kms:DescribeKey") }, keyprovider.OK, nil},
		"MACs differ": {good, func() {
			f.Deny(good.DerivationKeyID, "kms:DescribeKey")
			f.Deny(inWest(good.DerivationKeyID), "kms:DescribeKey")
			f.Fault(kmstest.GenerateMac, fault{Region: west, Change: func(out map[string]any) { out["Mac"] = make([]byte, 32) }})
		}, keyprovider.WrongKey, []string{"different keys"}},
		"public keys differ": {good, func() {
			f.Fault(kmstest.GetPublicKey, fault{Region: west, Change: func(out map[string]any) { out["PublicKey"] = spki(t) }})
		}, keyprovider.WrongKey, []string{"different keys"}},
		"signature of another key": {good, func() {
			f.Deny(inWest(good.KeyID), "kms:GetPublicKey")
			f.Fault(kmstest.Sign, fault{Region: west, Change: func(out map[string]any) {
				out["Signature"] = signed(t, newKey(t), [32]byte{})
			}})
		}, keyprovider.WrongKey, []string{"different keys"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.spoil != nil {
				c.spoil()
				defer func() {
					f.Everywhere()
					f.Enable(inWest(good.KeyID))
					for _, arn := range []string{good.KeyID, good.DerivationKeyID} {
						f.Deny(arn)
						f.Deny(inWest(arn))
					}
				}()
			}
			p, err := Open(t.Context(), c.o)
			if c.reason != keyprovider.OK {
				wants(t, err, c.reason, c.words...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			for i, want := range []string{good.KeyID, inWest(good.KeyID)} {
				if got := p.identity.replicas[i].id; got != want {
					t.Errorf("%s in place of %s", got, want)
				}
			}
		})
	}
}

// TestOpenWithoutARegion: one region is enough to start; the other is used
// once it is back, under the same key.
func TestOpenWithoutARegion(t *testing.T) {
	f, o, log := replicated(t)
	f.CreateAlias(west, "alias/node", inWest(o.KeyID))
	o.KeyID = "alias/node" // which the east can't tell
	f.Everywhere(fault{Drop: true, Region: east})
	p := open(t, o)
	if _, err := p.Sign(t.Context(), [32]byte{1}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "not reached") || !strings.Contains(log.String(), east) {
		t.Error(log)
	}
	f.Everywhere(fault{Drop: true, Region: west})
	if _, err := p.Sign(t.Context(), [32]byte{1}); err != nil || f.CallsIn(east, kmstest.Sign) != 1 {
		t.Fatalf("%v, %d calls", err, f.CallsIn(east, kmstest.Sign))
	}
	f.Everywhere(fault{Drop: true})
	_, err := Open(t.Context(), o)
	wants(t, err, keyprovider.Unavailable, east)
}

// TestOpenGivesUpOnARegion: a region that swallows everything does not keep
// the node from starting.
func TestOpenGivesUpOnARegion(t *testing.T) {
	f, o, _ := replicated(t)
	f.Everywhere(fault{Hang: true, Region: east})
	o.DerivationKeyID, o.reach = "", 3*time.Second
	p := open(t, o)
	if _, err := p.Sign(t.Context(), [32]byte{1}); err != nil {
		t.Fatal(err)
	}
}

// TestEveryFailureSaysWhere: of several regions' failures each is told with its
// region, also that a key is none for several.
func TestEveryFailureSaysWhere(t *testing.T) {
	f, o, _ := replicated(t)
	p := open(t, o)
	f.Fault(kmstest.DescribeKey, fault{Region: east, Code: "ThrottlingException"},
		fault{Region: west, Change: func(out map[string]any) {
			out["KeyMetadata"].(map[string]any)["MultiRegion"] = false
		}})
	err := p.Probe(t.Context())
	wants(t, err, keyprovider.Throttled, east, "also wrong_key: "+west)
	if strings.Contains(err.Error(), "nil") {
		t.Error(err)
	}
}
