package awskms

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

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
		if p.derivation.replicas[0].id != arn {
			t.Fatalf("%s was not resolved: %s", name, p.derivation.replicas[0].id)
		}
	}
	f.Deny(arn, "kms:DescribeKey", "kms:GenerateMac")
	_, err := Open(t.Context(), o)
	wants(t, err, keyprovider.Denied, "check IAM permissions", "kms:GenerateMac on ")
}

var policyForm = regexp.MustCompile(
	`\{"Effect": "Allow", "Action": \["kms:DescribeKey", "kms:GenerateMac"\], "Resource": \[.*\]\}`,
)

func TestCannotDerive(t *testing.T) {
	f, o := faulty(t)
	multi := f.CreateKey(kmstest.Identity.Multi())
	f.Replicate(multi, "eu-west-1")
	f.CreateAlias(kmstest.Region, "alias/frost-node-0", o.KeyID)
	arn := "arn:aws:kms:us-east-1:123456789012:key/KEY_ID_PRINTED_ABOVE"
	own := "alias/frost-derivation-" + o.KeyID[strings.LastIndex(o.KeyID, "/")+1:][:12]
	const create = "\n  aws kms create-key --region us-east-1 --key-spec HMAC_256 " +
		"--key-usage GENERATE_VERIFY_MAC --description "
	tests := map[string]struct {
		o        Options
		commands []string
		setting  string
		policy   string
	}{
		"ARN": {
			Options{Section: Section{KeyID: o.KeyID}},
			[]string{
				create,
				"\n  aws kms create-alias --region us-east-1 --alias-name " + own + " --target-key-id ARN_PRINTED_ABOVE\n",
			},
			own, `["` + arn + `"]`,
		},
		"alias": {
			Options{Section: Section{KeyID: "alias/frost-node-0", Regions: []string{kmstest.Region}}},
			[]string{
				create,
				"\n  aws kms create-alias --region us-east-1 --alias-name alias/frost-node-0-derivation " +
					"--target-key-id ARN_PRINTED_ABOVE\n",
			},
			"alias/frost-node-0-derivation", `["` + arn + `"]`,
		},
		"regions": {Options{Section: Section{KeyID: multi, Regions: []string{kmstest.Region, "eu-west-1"}}},
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
			wants(t, err, keyprovider.CannotDerive, append(c.commands, "randomised",
				`derivation_key_id = "`+c.setting+`"`, `derivation = "file"`)...)
			if policy := policyForm.FindString(err.Error()); !strings.Contains(policy, `"Resource": `+c.policy) {
				t.Fatalf("policy statement %s", policy)
			}
		})
	}
}

// TestCannotDeriveAnyMore: who has enrolled needs the key back, not a new one.
func TestCannotDeriveAnyMore(t *testing.T) {
	f, o := faulty(t)
	o.DerivationKeyID = ""
	const back = "put back the derivation_key_id"
	pinned := publicKey(t, f, o.KeyID)
	for _, name := range []string{"pinned", "enrolled", "new"} {
		o.Pinned, o.Enrolled = nil, name == "enrolled"
		if name == "pinned" {
			o.Pinned = pinned
		}
		_, err := open(t, o).Derive(t.Context(), []byte("x"))
		wants(t, err, keyprovider.CannotDerive, "aws kms create-key", "frost-worker provision")
		at := strings.Index(err.Error(), back)
		if name == "new" && at >= 0 || name != "new" && (at < 0 || at > strings.Index(err.Error(), "randomised")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDerivationFile(t *testing.T) {
	f, o := faulty(t)
	o.Derivation, o.DerivationKeyID, o.Storage = derivationFile, "", t.TempDir()
	if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "frost-worker enroll") {
		t.Fatalf("made without being asked for: %v", err)
	}
	o.Enrolling = true
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
	if err := os.Remove(secretFile(o.Node)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "put the file back") {
			t.Fatalf("a lost secret was made anew: %v", err)
		}
		o.Pinned, o.Enrolled = nil, true
	}
}
