package awskms

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

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
		"RSA": {identity("RSA_2048", "SIGN_VERIFY"),
			[]string{must, "RSA key can't be the identity", "RSA_2048 with SIGN_VERIFY",
				"aws kms create-key --region us-east-1"}},
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

// TestRegion: where the region comes from.
func TestRegion(t *testing.T) {
	kmstest.Setenv(t)
	f := kmstest.StartFaultKMS(t)
	key := f.CreateKey(kmstest.Identity.In("eu-west-1"))
	f.CreateAlias("eu-west-1", "alias/node", key)
	id := key[strings.LastIndex(key, "/")+1:]
	profile := filepath.Join(t.TempDir(), "config")
	text := "[profile frost]\nregion = eu-west-1\naws_access_key_id = a\naws_secret_access_key = b\n"
	if err := os.WriteFile(profile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	instance := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "60")
		_, _ = io.WriteString(w, `{"region": "eu-west-1"}`) // passes for the token too
	}))
	defer instance.Close()
	tests := []struct {
		name string
		o    Options
		env  string // pairs, with a blank between them
		want string // error
	}{
		{"ARN", Options{Section: Section{KeyID: key}}, "", ""},
		{"ARN over chain", Options{Section: Section{KeyID: key}}, "AWS_REGION=us-east-1", ""},
		{"alias ARN", Options{Section: Section{KeyID: "arn:aws:kms:eu-west-1:123456789012:alias/node"}}, "", ""},
		{"regions", Options{Section: Section{KeyID: "alias/node", Regions: []string{"eu-west-1"}}},
			"AWS_REGION=us-east-1", ""},
		{"chain", Options{Section: Section{KeyID: "alias/node"}}, "AWS_REGION=eu-west-1", ""},
		{"chain and id", Options{Section: Section{KeyID: id}}, "AWS_REGION=eu-west-1", ""},
		{"instance", Options{Section: Section{KeyID: "alias/node"}},
			"AWS_EC2_METADATA_DISABLED=false AWS_EC2_METADATA_SERVICE_ENDPOINT=" + instance.URL, ""},
		{"profile", Options{Section: Section{KeyID: "alias/node", Profile: "frost"}}, "AWS_CONFIG_FILE=" + profile, ""},
		{"none", Options{Section: Section{KeyID: "alias/node"}}, "", `regions = ["REGION"], or set AWS_REGION`},
		{"other than the ARN's", Options{Section: Section{KeyID: key, Regions: []string{"us-east-1"}}}, "",
			"this key is in eu-west-1 alone"},
		{"alias elsewhere", Options{Section: Section{KeyID: "alias/node", Regions: []string{"us-east-1"}}}, "",
			"aws kms list-aliases --region us-east-1"},
		{"no such profile", Options{Section: Section{KeyID: key, Profile: "frost"}}, "", "frost"},
		{"no key", Options{}, "", "key_id is missing"},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			for _, pair := range strings.Fields(c.env) {
				name, value, _ := strings.Cut(pair, "=")
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
			if at := p.identity.replicas[0]; at.region.name != "eu-west-1" || at.id != key {
				t.Fatalf("%s in %s", at.id, at.region.name)
			}
		})
	}
}

// TestKeysOfTwoRegions: without regions each key is where its ARN says.
func TestKeysOfTwoRegions(t *testing.T) {
	f, o := faulty(t)
	o.DerivationKeyID = f.CreateKey(kmstest.Derivation.In("eu-west-1"))
	_, err := open(t, o).Derive(t.Context(), []byte("x"))
	if err != nil || f.CallsIn("eu-west-1", kmstest.GenerateMac) != 1 {
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
		!strings.Contains(got, "HMAC_256") || !strings.Contains(got, `"from kms:GetPublicKey"`) ||
		!strings.Contains(got, `{"endpoint" "`+strings.TrimPrefix(f.URL, "http://")+` for us-east-1" "not AWS's own`) {
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
	o.Derivation, o.Storage, o.Enrolling = derivationFile, t.TempDir(), true
	if got := describe(); !strings.Contains(got, "back this file up") {
		t.Error(got)
	}
}

// TestCommandsNameNoAlias: aws kms enable-key and its like take none.
func TestCommandsNameNoAlias(t *testing.T) {
	f, o := faulty(t)
	f.CreateAlias(kmstest.Region, "alias/node", o.KeyID)
	arn := o.KeyID
	o.KeyID, o.Regions = "alias/node", []string{kmstest.Region}
	f.Disable(arn)
	_, err := Open(t.Context(), o)
	wants(t, err, keyprovider.Disabled, "with alias/node", "aws kms enable-key --region us-east-1 --key-id "+arn)
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
