package awskms

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

// TestPublicKey: every way to come by the public key, and what it costs.
func TestPublicKey(t *testing.T) {
	f, o := faulty(t)
	o.DerivationKeyID = ""
	pinned := publicKey(t, f, o.KeyID)
	other := &newKey(t).PublicKey
	const noGet = "describe ok, public_key denied"
	tests := []struct {
		name         string
		pinned, deny bool
		calls, from  string
	}{
		{"granted", false, false, "describe ok, public_key ok", "kms:GetPublicKey"},
		{"granted and pinned", true, false, "describe ok, public_key ok", "kms:GetPublicKey"},
		{"denied and pinned", true, true, noGet + ", sign ok", "proven by a signature"},
		{"denied", false, true, noGet + ", sign ok, sign ok, sign ok", "three signatures"},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			f.Deny(o.KeyID)
			if c.deny {
				f.Deny(o.KeyID, "kms:GetPublicKey")
			}
			o, heard := o, &calls{}
			o.Observe = heard.observe
			if c.pinned {
				o.Pinned = pinned
			}
			p := open(t, o)
			if got, err := p.Identity(t.Context()); err != nil || !got.Equal(pinned) {
				t.Fatalf("%v, %v", got, err)
			}
			if heard.String() != c.calls || !strings.Contains(p.publicFrom, c.from) {
				t.Fatalf("%s: %s", p.publicFrom, heard)
			}
			if !c.pinned {
				return
			}
			o.Pinned = other
			_, err := Open(t.Context(), o)
			wants(t, err, keyprovider.WrongKey, "manifest pins", o.KeyID)
		})
	}
}

// TestRecoveryIsNotFooled: signatures by changing keys, or of another digest,
// give no public key.
func TestRecoveryIsNotFooled(t *testing.T) {
	f, o := faulty(t)
	f.Deny(o.KeyID, "kms:GetPublicKey")
	stranger := newKey(t)
	lie := func(out map[string]any) { out["Signature"] = signed(t, stranger, [32]byte{1}) }
	for times, want := range map[int]string{1: "no public key in common", 3: "no public key in common"} {
		f.Fault(kmstest.Sign, kmstest.Fault{Change: lie, Times: times})
		_, err := Open(t.Context(), o)
		wants(t, err, keyprovider.BadAnswer, want)
	}
	f.Fault(kmstest.Sign)
	first := f.Calls(kmstest.Sign)
	third := func(out map[string]any) {
		if f.Calls(kmstest.Sign) == first+3 {
			lie(out)
		}
	}
	f.Fault(kmstest.Sign, kmstest.Fault{Change: third})
	_, err := Open(t.Context(), o)
	wants(t, err, keyprovider.BadAnswer, "does not verify")
}

func TestKeysThatAreRefused(t *testing.T) {
	f, good := faulty(t)
	identity := func(spec, usage string) Options {
		o := good
		o.KeyID = f.CreateKey(kmstest.Key{Spec: spec, Usage: usage})
		return o
	}
	derivation := func(spec, usage string) Options {
		o := good
		o.DerivationKeyID = f.CreateKey(kmstest.Key{Spec: spec, Usage: usage})
		return o
	}
	const must = "key_id must be ECC_NIST_P256 with SIGN_VERIFY"
	const mustDerive = "derivation_key_id must be HMAC_256 with GENERATE_VERIFY_MAC"
	tests := map[string]struct {
		o     Options
		words []string
	}{
		"RSA":        {identity("RSA_2048", "SIGN_VERIFY"), []string{must, "RSA key can't be the identity", "RSA_2048 with SIGN_VERIFY", "aws kms create-key --region us-east-1"}},
		"secp256k1":  {identity("ECC_SECG_P256K1", "SIGN_VERIFY"), []string{must, "not on this curve", "ECC_SECG_P256K1"}},
		"P-384":      {identity("ECC_NIST_P384", "SIGN_VERIFY"), []string{must, "not on this curve"}},
		"agreement":  {identity("ECC_NIST_P256", "KEY_AGREEMENT"), []string{must, "ECC_NIST_P256 with KEY_AGREEMENT"}},
		"symmetric":  {identity("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), []string{must}},
		"HMAC":       {identity("HMAC_256", "GENERATE_VERIFY_MAC"), []string{must}},
		"long HMAC":  {derivation("HMAC_512", "GENERATE_VERIFY_MAC"), []string{mustDerive, "HMAC_512"}},
		"signing":    {derivation("ECC_NIST_P256", "SIGN_VERIFY"), []string{mustDerive, "--key-spec HMAC_256"}},
		"encrypting": {derivation("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), []string{mustDerive}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), c.o)
			wants(t, err, keyprovider.WrongKey, c.words...)
		})
	}
	t.Run("not described", func(t *testing.T) {
		o := derivation("HMAC_512", "GENERATE_VERIFY_MAC")
		f.Deny(o.DerivationKeyID, "kms:DescribeKey")
		_, err := Open(t.Context(), o)
		wants(t, err, keyprovider.WrongKey, mustDerive)
	})
}

// TestDerivationWithoutDescribe: a role that may only call kms:GenerateMac.
func TestDerivationWithoutDescribe(t *testing.T) {
	f, o := faulty(t)
	f.CreateAlias(kmstest.Region, "alias/mac", o.DerivationKeyID)
	f.Deny(o.DerivationKeyID, "kms:DescribeKey")
	arn := o.DerivationKeyID
	for _, name := range []string{arn, "alias/mac", "arn:aws:kms:us-east-1:123456789012:alias/mac"} {
		heard := &calls{}
		o.DerivationKeyID, o.Observe = name, heard.observe
		p := open(t, o)
		if heard.String() != "describe ok, public_key ok, describe denied, derive ok" {
			t.Fatalf("%s: %s", name, heard)
		}
		if p.derivation.places[0].id != arn {
			t.Fatalf("%s was not resolved: %s", name, p.derivation.places[0].id)
		}
	}
	f.Deny(arn, "kms:DescribeKey", "kms:GenerateMac")
	_, err := Open(t.Context(), o)
	wants(t, err, keyprovider.Denied, "check IAM permissions", "kms:GenerateMac on ")
}

// TestAliasIsResolvedOnce: an alias that moves changes nothing before a
// restart, and then the pinned key notices.
func TestAliasIsResolvedOnce(t *testing.T) {
	kmstest.Setenv(t)
	f := kmstest.StartFaultKMS(t)
	first, second := f.CreateKey(kmstest.Identity), f.CreateKey(kmstest.Identity)
	f.CreateAlias(kmstest.Region, "alias/node", first)
	o := Options{KeyID: "alias/node", Regions: []string{kmstest.Region}, Endpoint: f.URL, Pinned: publicKey(t, f, first)}
	p := open(t, o)
	f.CreateAlias(kmstest.Region, "alias/node", second)
	if _, err := p.Sign(t.Context(), [32]byte{1}); err != nil || f.CallsTo(second, kmstest.Sign) != 0 {
		t.Fatalf("the running node follows the alias: %v", err)
	}
	if err := p.Probe(t.Context()); err != nil || f.CallsTo(second, kmstest.DescribeKey) != 0 {
		t.Fatalf("the probe follows the alias: %v", err)
	}
	_, err := Open(t.Context(), o)
	wants(t, err, keyprovider.WrongKey, "an alias may have been moved", "alias/node")
}

var policyForm = regexp.MustCompile(`\{"Effect": "Allow", "Action": \["kms:DescribeKey", "kms:GenerateMac"\], "Resource": \[.*\]\}`)

func TestCannotDerive(t *testing.T) {
	f, o := faulty(t)
	multi := f.CreateKey(kmstest.Identity.Multi())
	f.Replicate(multi, "eu-west-1")
	f.CreateAlias(kmstest.Region, "alias/frost-node-0", o.KeyID)
	arn := "arn:aws:kms:us-east-1:123456789012:key/KEY_ID_PRINTED_ABOVE"
	own := "alias/frost-derivation-" + o.KeyID[strings.LastIndex(o.KeyID, "/")+1:][:12]
	const create = "\n  aws kms create-key --region us-east-1 --key-spec HMAC_256 --key-usage GENERATE_VERIFY_MAC --description "
	tests := map[string]struct {
		o        Options
		commands []string
		setting  string
		policy   string
	}{
		"ARN": {Options{KeyID: o.KeyID},
			[]string{create, "\n  aws kms create-alias --region us-east-1 --alias-name " + own + " --target-key-id ARN_PRINTED_ABOVE\n"},
			own, `["` + arn + `"]`},
		"alias": {Options{KeyID: "alias/frost-node-0", Regions: []string{kmstest.Region}},
			[]string{create, "\n  aws kms create-alias --region us-east-1 --alias-name alias/frost-node-0-derivation --target-key-id ARN_PRINTED_ABOVE\n"},
			"alias/frost-node-0-derivation", `["` + arn + `"]`},
		"regions": {Options{KeyID: multi, Regions: []string{kmstest.Region, "eu-west-1"}},
			[]string{strings.Replace(create, "_MAC", "_MAC --multi-region", 1),
				"\n  aws kms replicate-key --region us-east-1 --key-id ARN_PRINTED_ABOVE --replica-region eu-west-1\n"},
			"ARN_PRINTED_ABOVE", `["` + arn + `", "` + strings.Replace(arn, "us-east-1", "eu-west-1", 1) + `"]`},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			c.o.Endpoint = f.URL
			_, err := open(t, c.o).Derive(t.Context(), []byte("x"))
			if !errors.Is(err, keyprovider.ErrCannotDerive) {
				t.Fatal(err)
			}
			wants(t, err, keyprovider.CannotDerive, append(c.commands, "randomised", `derivation_key_id = "`+c.setting+`"`, `derivation = "file"`)...)
			if policy := policyForm.FindString(err.Error()); !strings.Contains(policy, `"Resource": `+c.policy) {
				t.Fatalf("policy statement %s", policy)
			}
		})
	}
}

func TestDerivationFile(t *testing.T) {
	f, o := faulty(t)
	o.DerivationFile = filepath.Join(t.TempDir(), "derivation.secret")
	if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "exclude each other") {
		t.Fatal(err)
	}
	o.DerivationKeyID = ""
	var seen [][32]byte
	for range 2 {
		log := &logged{}
		o.Log = log.logger()
		p := open(t, o)
		if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "back it up") {
			t.Fatalf("no warning: %s", log)
		}
		out, err := p.Derive(t.Context(), []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, out)
		o.Pinned = p.public
	}
	if seen[0] != seen[1] || f.Calls(kmstest.GenerateMac) != 0 {
		t.Fatalf("not stable, or %d calls", f.Calls(kmstest.GenerateMac))
	}
	if err := os.Remove(o.DerivationFile); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "put the file back") {
		t.Fatalf("a lost secret was made anew: %v", err)
	}
}

// TestRegion: where the region comes from.
func TestRegion(t *testing.T) {
	kmstest.Setenv(t)
	f := kmstest.StartFaultKMS(t)
	key := f.CreateKey(kmstest.Identity.In("eu-west-1"))
	f.CreateAlias("eu-west-1", "alias/node", key)
	id := key[strings.LastIndex(key, "/")+1:]
	profile := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(profile, []byte("[profile frost]\nregion = eu-west-1\naws_access_key_id = a\naws_secret_access_key = b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		o    Options
		env  string
		want string // error
	}{
		{"ARN", Options{KeyID: key}, "", ""},
		{"ARN over chain", Options{KeyID: key}, "AWS_REGION=us-east-1", ""},
		{"alias ARN", Options{KeyID: "arn:aws:kms:eu-west-1:123456789012:alias/node"}, "", ""},
		{"regions", Options{KeyID: "alias/node", Regions: []string{"eu-west-1"}}, "AWS_REGION=us-east-1", ""},
		{"chain", Options{KeyID: "alias/node"}, "AWS_REGION=eu-west-1", ""},
		{"chain and id", Options{KeyID: id}, "AWS_REGION=eu-west-1", ""},
		{"profile", Options{KeyID: "alias/node", Profile: "frost"}, "AWS_CONFIG_FILE=" + profile, ""},
		{"none", Options{KeyID: "alias/node"}, "", `regions = ["REGION"], or set AWS_REGION`},
		{"other than the ARN's", Options{KeyID: key, Regions: []string{"us-east-1"}}, "", "this key is in eu-west-1 alone"},
		{"alias elsewhere", Options{KeyID: "alias/node", Regions: []string{"us-east-1"}}, "", "aws kms list-aliases --region us-east-1"},
		{"no such profile", Options{KeyID: key, Profile: "frost"}, "", "frost"},
		{"no key", Options{}, "", "key_id is missing"},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			if name, value, ok := strings.Cut(c.env, "="); ok {
				t.Setenv(name, value)
			}
			c.o.Endpoint = f.URL
			p, err := Open(t.Context(), c.o)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("%v, want %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if at := p.identity.places[0]; at.region.name != "eu-west-1" || at.id != key {
				t.Fatalf("%s in %s", at.id, at.region.name)
			}
		})
	}
}

// TestKeysOfTwoRegions: without regions each key is where its ARN says.
func TestKeysOfTwoRegions(t *testing.T) {
	f, o := faulty(t)
	o.DerivationKeyID = f.CreateKey(kmstest.Derivation.In("eu-west-1"))
	if _, err := open(t, o).Derive(t.Context(), []byte("x")); err != nil || f.CallsIn("eu-west-1", kmstest.GenerateMac) != 1 {
		t.Fatal(err)
	}
}

func TestDescribe(t *testing.T) {
	f, o := faulty(t)
	f.CreateAlias(kmstest.Region, "alias/node", o.KeyID)
	arn := o.KeyID
	o.KeyID, o.Regions = "alias/node", []string{kmstest.Region}
	describe := func() string {
		t.Helper()
		facts, err := open(t, o).Describe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%q", facts)
	}
	if got := describe(); !strings.Contains(got, arn+", ECC_NIST_P256, SIGN_VERIFY, Enabled, by alias/node") ||
		!strings.Contains(got, "HMAC_256") || !strings.Contains(got, `"from kms:GetPublicKey"`) {
		t.Error(got)
	}
	f.Deny(o.DerivationKeyID, "kms:DescribeKey")
	if got := describe(); !strings.Contains(got, "kms:DescribeKey is not granted") {
		t.Error(got)
	}
	o.DerivationKeyID = ""
	if got := describe(); !strings.Contains(got, "set derivation_key_id") {
		t.Error(got)
	}
	o.DerivationFile = filepath.Join(t.TempDir(), "secret")
	if got := describe(); !strings.Contains(got, "back this file up") {
		t.Error(got)
	}
}

func TestProviderPrintsAsItsName(t *testing.T) {
	_, o := faulty(t)
	p := open(t, o)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if got := fmt.Sprintf(verb, p); got != "aws-kms key provider" {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}
