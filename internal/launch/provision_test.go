package launch

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/software"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

// loadSection loads a node's file with a section for its key provider.
func loadSection(t *testing.T, section string) *config.Node {
	t.Helper()
	path := filepath.Join(t.TempDir(), "node.toml")
	text := `[network]
type = "regtest"
[server]
role = "node"
[node]
index = 2
storage_path = "data"
max_signers = 3
min_signers = 2
[node.key_provider]
` + section
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := LoadNode(path)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func provision(t *testing.T, n *config.Node, o keyprovider.Options) *keyprovider.Provisioned {
	t.Helper()
	r, err := Provision(t.Context(), n, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestProvisionSoftware: a file is made once, with its folder, and works.
func TestProvisionSoftware(t *testing.T) {
	n := loadSection(t, "type = \"software\"\nkey_file = \"keys/key.json\"\n")
	if r := provision(t, n, keyprovider.Options{}); r.Facts[0].Value != "made" || r.Facts[0].Warning == "" {
		t.Errorf("%+v", r)
	}
	before, err := os.ReadFile(n.Node.KeyProvider.Section.(*software.Section).KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := provision(t, n, keyprovider.Options{}).Print(&out); err != nil ||
		!strings.Contains(out.String(), "was not touched\nWARNING: ") {
		t.Errorf("%v, %s", err, out.String())
	}
	if after, err := os.ReadFile(n.Node.KeyProvider.Section.(*software.Section).KeyFile); err != nil ||
		string(after) != string(before) {
		t.Errorf("the file was changed: %v", err)
	}
	opens(t, n)
}

// opens wants the keys to work.
func opens(t *testing.T, n *config.Node) {
	t.Helper()
	p, err := OpenProvider(t.Context(), n, ProviderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	works(t, n, p)
}

// TestProvisionToken: on a fresh token both keys are made, once.
func TestProvisionToken(t *testing.T) {
	hsm := softhsm.New(t)
	token := hsm.Token(t, "provision")
	n := loadSection(t,
		fmt.Sprintf("type = \"pkcs11\"\npkcs11_library = %q\ntoken_label = \"provision\"\nkey_label = \"i\"\n"+
			"derivation_key_label = \"d\"\npin = %q\n", hsm.Library(), token.PIN))
	first := provision(t, n, keyprovider.Options{})
	second := provision(t, n, keyprovider.Options{})
	if len(first.Facts) < 2 || !strings.HasPrefix(first.Facts[0].Value, "made") ||
		strings.HasPrefix(second.Facts[0].Value, "made") {
		t.Errorf("first %+v, then %+v", first.Facts, second.Facts)
	}
	opens(t, n)
}

// keyPolicy is a key's policy as AWS reads it.
type keyPolicy struct {
	Version   string
	Statement []struct {
		Sid, Effect string
		Principal   map[string]string
		Action      []string
		Resource    string
	}
}

func policiesOf(t *testing.T, r *keyprovider.Provisioned) map[string]keyPolicy {
	t.Helper()
	found := map[string]keyPolicy{}
	for _, d := range r.Documents {
		var p keyPolicy
		if err := json.Unmarshal(d.Content, &p); err != nil {
			t.Fatal(err)
		}
		found[d.Name] = p
	}
	return found
}

// TestKMSPolicies: the node's role uses its keys and nobody else does, not even
// by a grant or by an administrator's IAM policy.
func TestKMSPolicies(t *testing.T) {
	r := provision(t,
		loadSection(t,
			"type = \"aws-kms\"\nkey_id = \"arn:aws-cn:kms:cn-north-1:123456789012:alias/node\"\n"), keyprovider.Options{})
	found := policiesOf(t, r)
	for name, want := range map[string][]string{
		"frost-node-2-identity.json":   {"kms:DescribeKey", "kms:GetPublicKey", "kms:Sign"},
		"frost-node-2-derivation.json": {"kms:DescribeKey", "kms:GenerateMac"},
	} {
		p := found[name]
		if p.Version != "2012-10-17" || len(p.Statement) != 2 {
			t.Fatalf("%s: %+v", name, p)
		}
		admin, node := p.Statement[0], p.Statement[1]
		if !slices.Equal(node.Action, want) || node.Principal["AWS"] != "arn:aws-cn:iam::123456789012:role/frost-node-2" {
			t.Errorf("%s: %+v", name, node)
		}
		if admin.Principal["AWS"] != "arn:aws-cn:iam::123456789012:root" ||
			!slices.Contains(admin.Action, "kms:PutKeyPolicy") {
			t.Errorf("%s: %+v", name, admin)
		}
		for _, action := range admin.Action {
			for _, use := range []string{"kms:Sign", "kms:GenerateMac", "kms:VerifyMac", "kms:CreateGrant"} {
				if prefix, glob := strings.CutSuffix(action, "*"); action == use || glob && strings.HasPrefix(use, prefix) {
					t.Errorf("%s: administrators may %s by %s", name, use, action)
				}
			}
		}
	}
}

// TestKMSScript: the script runs as it is, and calls AWS's tool as it should.
func TestKMSScript(t *testing.T) {
	const role = "arn:aws:iam::123456789012:role/r"
	for name, test := range map[string]struct {
		section string
		role    string
		calls   []string // in order; one word of each must not be missing
		notes   []string
	}{
		"alias": {`key_id = "alias/frost-node-2"`, role, []string{
			"kms create-key --key-spec ECC_NIST_P256 --key-usage SIGN_VERIFY --description Frostfleet node 2 identity " +
				"--policy file://frost-node-2-identity.json --query KeyMetadata.KeyId --output text",
			"kms create-alias --alias-name alias/frost-node-2 --target-key-id mrk-1",
			"kms create-key --key-spec HMAC_256 --key-usage GENERATE_VERIFY_MAC --description Frostfleet node 2 " +
				"derivation --policy file://frost-node-2-derivation.json --query KeyMetadata.KeyId --output text",
			"kms create-alias --alias-name alias/frost-node-2-derivation --target-key-id mrk-1",
		}, []string{"role " + role + " must exist", `derivation_key_id = "alias/frost-node-2-derivation"`}},
		"no role": {`key_id = "alias/x"`, "", []string{
			"create-key", "alias/x ", "create-key", "alias/x-derivation",
		}, []string{"in place of ACCOUNT_ID, or give --role-arn", "arn:aws:iam::ACCOUNT_ID:role/frost-node-2"}},
		"keys that are there": {"key_id = \"arn:aws:kms:eu-west-1:123456789012:key/1-2\"\nderivation_key_id = " +
			"\"arn:aws:kms:eu-west-1:123456789012:key/3-4\"", "", []string{
			"kms put-key-policy --region eu-west-1 --key-id arn:aws:kms:eu-west-1:123456789012:key/1-2 --policy-name " +
				"default --policy file://frost-node-2-identity.json",
			"kms put-key-policy --region eu-west-1 --key-id arn:aws:kms:eu-west-1:123456789012:key/3-4 --policy-name " +
				"default --policy file://frost-node-2-derivation.json",
		}, nil},
		"replicas that are there": {"key_id = \"arn:aws:kms:us-east-1:123456789012:key/mrk-1\"\nderivation_key_id = " +
			"\"mrk-2\"\nregions = [\"us-west-2\", \"us-east-1\"]", "", []string{
			"kms put-key-policy --region us-west-2 --key-id mrk-1 --policy-name default --policy " +
				"file://frost-node-2-identity.json",
			"kms put-key-policy --region us-east-1 --key-id mrk-1 --policy-name default --policy " +
				"file://frost-node-2-identity.json",
			"kms put-key-policy --region us-west-2 --key-id mrk-2 --policy-name default --policy " +
				"file://frost-node-2-derivation.json",
			"kms put-key-policy --region us-east-1 --key-id mrk-2 --policy-name default --policy " +
				"file://frost-node-2-derivation.json",
		}, nil},
		"one that is there": {`key_id = "arn:aws:kms:eu-west-1:123456789012:key/1-2"`, "", []string{
			"put-key-policy", "create-key --region eu-west-1 --key-spec HMAC_256",
			"create-alias --region eu-west-1 --alias-name alias/frost-node-2-derivation",
		}, nil},
		"several regions": {"key_id = \"alias/a\"\nderivation_key_id = \"alias/b\"\nregions = [\"us-east-1\", " +
			"\"eu-west-1\"]", role, []string{
			"create-key --region us-east-1 --key-spec ECC_NIST_P256 --key-usage SIGN_VERIFY --multi-region",
			"create-alias --region us-east-1 --alias-name alias/a ",
			"replicate-key --region us-east-1 --key-id mrk-1 --replica-region eu-west-1 --policy " +
				"file://frost-node-2-identity.json", "create-alias --region eu-west-1 --alias-name alias/a ",
			"create-key --region us-east-1 --key-spec HMAC_256 --key-usage GENERATE_VERIFY_MAC --multi-region",
			"create-alias --region us-east-1 --alias-name alias/b ",
			"replicate-key --region us-east-1 --key-id mrk-1 --replica-region eu-west-1 --policy " +
				"file://frost-node-2-derivation.json", "create-alias --region eu-west-1 --alias-name alias/b ",
		}, nil},
		"derivation in a file": {"key_id = \"alias/a\"\nderivation = \"file\"", role,
			[]string{"create-key", "create-alias"}, []string{"KMS does not protect the shares"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := provision(t, loadSection(t, "type = \"aws-kms\"\n"+test.section+"\n"), keyprovider.Options{Role: test.role})
			var script strings.Builder
			if err := r.Print(&script); err != nil {
				t.Fatal(err)
			}
			calls := execute(t, script.String(), r)
			if len(calls) != len(test.calls) {
				t.Fatalf("%d calls:\n%s", len(calls), strings.Join(calls, "\n"))
			}
			for i, want := range test.calls {
				if !strings.Contains(calls[i]+" ", want) {
					t.Errorf("call %d is\n%s\nwant\n%s", i, calls[i], want)
				}
			}
			for _, want := range test.notes {
				if !strings.Contains(script.String(), want) {
					t.Errorf("no %q in\n%s", want, script.String())
				}
			}
		})
	}
}

// execute runs a script with an aws that notes its arguments, checks that the
// documents were written, and gives the calls.
func execute(t *testing.T, script string, r *keyprovider.Provisioned) []string {
	t.Helper()
	dir := t.TempDir()
	// Nothing is there yet: list-aliases prints nothing, describe-key fails.
	fake := "#!/bin/sh\ncase $2 in list-aliases) exit;; describe-key) exit 1;; esac\necho \"$*\" >> " +
		filepath.Join(dir, "calls") + "\necho mrk-1\n"
	if err := os.WriteFile(filepath.Join(dir, "aws"), []byte(fake), 0o700); err != nil {
		t.Fatal(err)
	}
	sh := exec.Command("sh")
	sh.Dir, sh.Stdin = dir, strings.NewReader(script)
	sh.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	if out, err := sh.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, script)
	}
	for _, d := range r.Documents {
		written, err := os.ReadFile(filepath.Join(dir, d.Name))
		if err != nil || !json.Valid(written) {
			t.Errorf("%s: %v\n%s", d.Name, err, written)
		}
	}
	calls, err := os.ReadFile(filepath.Join(dir, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(calls)), "\n")
}

// TestKMSScriptAgain: where the aliases and the replicas are, the script makes
// nothing.
func TestKMSScriptAgain(t *testing.T) {
	r := provision(t, loadSection(t, "type = \"aws-kms\"\nkey_id = \"alias/a\"\n"+
		"regions = [\"us-east-1\", \"eu-west-1\"]\n"), keyprovider.Options{})
	var script strings.Builder
	if err := r.Print(&script); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	calls := filepath.Join(dir, "calls")
	fake := "#!/bin/sh\necho \"$*\" >> " + calls + "\necho mrk-1\n"
	if err := os.WriteFile(filepath.Join(dir, "aws"), []byte(fake), 0o700); err != nil {
		t.Fatal(err)
	}
	sh := exec.Command("sh")
	sh.Dir, sh.Stdin = dir, strings.NewReader(script.String())
	sh.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	if out, err := sh.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	called, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(called)) {
		if strings.Contains(line, "create-") || strings.Contains(line, "replicate-") {
			t.Errorf("the second run calls %s", line)
		}
	}
}

// TestScriptTakesNoCode: nothing of the configuration gets into the script that
// a shell would run.
func TestScriptTakesNoCode(t *testing.T) {
	for section, o := range map[string]keyprovider.Options{
		`key_id = "alias/a;reboot"`:                                {},
		`key_id = "$(reboot)"`:                                     {},
		"key_id = \"a\\nreboot\"":                                  {},
		"key_id = \"alias/a\"\nregions = [\"a b\", \"$(reboot)\"]": {},
		"key_id = \"alias/a\"\nderivation_key_id = \"'\"":          {},
		`key_id = "alias/a"`:                                       {Role: "arn:aws:iam::123456789012:role/r\nreboot"},
		`key_id = "alias/b"`:                                       {Role: "frost"},
	} {
		if r, err := Provision(t.Context(), loadSection(t, "type = \"aws-kms\"\n"+section+"\n"), o); err == nil {
			t.Errorf("%s %s: %+v", section, o.Role, r.Commands)
		}
	}
}
