package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/awskms"
	"github.com/frostfleet/frostfleet/internal/keyprovider/backends"
	"github.com/frostfleet/frostfleet/internal/keyprovider/pkcs11"
	"github.com/frostfleet/frostfleet/internal/keyprovider/software"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// loadNode is LoadNode with the back ends that programs have.
func loadNode(path string) (*Node, error) { return LoadNode(path, backends.All()) }

// parseNode is ParseNode with them.
func parseNode(path string) (*Node, error) { return ParseNode(path, backends.All()) }

// awsKMS is the file of the AWS KMS guide. Operators have it: it loads as it
// is, for ever.
const awsKMS = `[network]
type = "mainnet"
[server]
role = "node"
host = "0.0.0.0"
port = 4000
[node]
index = 0
storage_path = "/data/frost-shares-node0"
max_signers = 3
min_signers = 2
[node.key_provider]
type = "aws-kms"
key_id = "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012"
`

// issueFile is the file of the guide letter by letter, with its blank lines
// and its comment.
const issueFile = `[network]
type = "mainnet"

[server]
role = "node"
host = "0.0.0.0"
port = 4000

[node]
index = 0
storage_path = "/data/frost-shares-node0"
max_signers = 3
min_signers = 2

[node.key_provider]
type = "aws-kms"
key_id = "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012"
# or key_id = "alias/frost-node-0"
`

func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestGuideFileLoads: with the ARN, and with the alias that the comment offers
// in its place.
func TestGuideFileLoads(t *testing.T) {
	alias := regexp.MustCompile(`(?m)^key_id = .*\n# or `).ReplaceAllString(issueFile, "")
	for _, test := range []struct{ text, key string }{
		{awsKMS, "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012"},
		{issueFile, "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012"},
		{alias, "alias/frost-node-0"},
	} {
		n, err := loadNode(write(t, test.text))
		if err != nil {
			t.Fatal(err)
		}
		n.src, n.backends, n.Node.KeyProvider.Backend = nil, nil, keyprovider.Backend{}
		if want := guideNode(test.key); !reflect.DeepEqual(n, want) {
			t.Errorf("got %+v\nwant %+v", n, want)
		}
	}
}

func guideNode(keyID string) *Node {
	return &Node{
		Network: Network{"mainnet"},
		Server:  Server{"node", "0.0.0.0", 4000},
		Log:     Log{"info"},
		Node: NodeSection{
			Index: 0, StoragePath: "/data/frost-shares-node0", MaxSigners: 3, MinSigners: 2,
			Manifest: "/data/frost-shares-node0/manifest.json",
			Access:   "/data/frost-shares-node0/access.toml",
			KeyProvider: KeyProvider{
				Type: awskms.Type,
				Section: &awskms.Section{
					KeyID: keyID,
					Device: keyprovider.Device{Prices: keyprovider.Prices{Sign: 0.15, Derive: 0.03, Describe: 0.03, PublicKey: 0.15,
						KeyMonth: 1}},
				},
			},
		},
		connected: connected{Bus: Bus{URL: "nats://127.0.0.1:4222", Replicas: 1}},
	}
}

// TestExamples loads every file under configs, by the kind that its name says,
// and wants the lines of the guide in the AWS example.
func TestExamples(t *testing.T) {
	dir := filepath.Join("..", "..", "configs")
	files, err := filepath.Glob(filepath.Join(dir, "*.toml"))
	if err != nil || len(files) < 7 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, path := range files {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			kind, _, _ := strings.Cut(strings.TrimSuffix(name, ".toml"), "-")
			loaders := map[string]func() error{
				"node":    func() error { _, err := parseNode(path); return err },
				"gateway": func() error { _, err := ParseGateway(path); return err },
				"client":  func() error { _, err := ParseClient(path); return err },
				"access":  func() error { _, err := LoadAccess(path); return err },
				"policy":  func() error { _, err := LoadPolicy(path, "mainnet"); return err },

				"administrator": func() error { _, err := ParseAdministrator(path); return err },
			}
			if loaders[kind] == nil {
				t.Fatalf("no loader for %s: begin the name with node, gateway, client, administrator, access or policy", name)
			}
			if err := loaders[kind](); err != nil {
				t.Fatal(err)
			}
		})
	}
	example, err := os.ReadFile(filepath.Join(dir, "node-aws-kms.toml"))
	if err != nil {
		t.Fatal(err)
	}
	rest := string(example)
	for line := range strings.Lines(awsKMS) {
		_, after, found := strings.Cut(rest, strings.TrimSpace(line))
		if !found {
			t.Fatalf("the AWS example lacks %s or has it elsewhere", line)
		}
		rest = after
	}
}

// TestExamplesNameRealKeys: what stands behind a # in an example is a key too.
// Some exclude each other, but none is unknown or of a wrong type.
func TestExamplesNameRealKeys(t *testing.T) {
	t.Setenv("FROST_PIN", "1")
	for _, name := range []string{"node-aws-kms.toml", "node-pkcs11.toml"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "configs", name))
		if err != nil {
			t.Fatal(err)
		}
		comment := regexp.MustCompile(`(?m)^# ([a-z_]+ = .*|\[[a-z_.]+\])$`)
		if n := len(comment.FindAll(text, -1)); n < 5 {
			t.Errorf("%s: found %d keys in comments: the search is broken", name, n)
		}
		lines := map[string]bool{}
		full := "" // of two lines with one key, the first
		for line := range strings.Lines(comment.ReplaceAllString(string(text), "$1")) {
			key, _, assigns := strings.Cut(line, " = ")
			if !assigns || !lines[key] {
				full += line
			}
			lines[key] = true
			if strings.HasPrefix(line, "[") {
				clear(lines)
			}
		}
		_, err = loadNode(write(t, full))
		for _, part := range []string{"unknown", "wrong type", "not a duration", "is not for", ": : "} {
			if err != nil && strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestLaterKeysParse(t *testing.T) {
	n, err := loadNode(write(t, awsKMS+`derivation_key_id = "alias/d"
derivation = "kms"
endpoint = "http://localhost:4566"
profile = "p"
timeout = "2s"
max_attempts = 4
regions = ["us-east-1", "eu-west-1"]
hedge_after = "200ms"
[node.key_provider.prices]
sign = 1
key_month = 0.5
`))
	if err != nil {
		t.Fatal(err)
	}
	k := n.Node.KeyProvider.Section.(*awskms.Section)
	if k.Timeout.Duration != 2*time.Second || k.MaxAttempts != 4 || len(k.Regions) != 2 ||
		k.DerivationKeyID != "alias/d" ||
		k.HedgeAfter.Duration != 200*time.Millisecond ||
		k.Prices != (keyprovider.Prices{Sign: 1, Derive: 0.03, Describe: 0.03, PublicKey: 0.15, KeyMonth: 0.5}) {
		t.Fatalf("%+v", k)
	}
	text, _, _ := strings.Cut(awsKMS, `type = "aws-kms"`)
	n, err = loadNode(write(t, text+`type = "pkcs11"
pkcs11_library = "lib.so"
slot = 0
token_label = "t"
key_label = "k"
derivation_key_label = "d"
derivation = "hmac"
sessions = 8
max_attempts = 2
pin = "123456"
uri = "pkcs11:token=t"
prices.sign = 0.5
`))
	if err != nil {
		t.Fatal(err)
	}
	token := n.Node.KeyProvider.Section.(*pkcs11.Section)
	if string(token.Pin.Expose()) != "123456" || token.Slot == nil || *token.Slot != 0 || !filepath.IsAbs(token.Library) ||
		token.Sessions != 8 || token.MaxAttempts != 2 || token.Prices != (keyprovider.Prices{Sign: 0.5}) {
		t.Fatalf("%+v", token)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%v %+v %#v %s %x", n, n, n, token.Pin, token.Pin)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "n", n, "pin", token.Pin)
	if err := json.NewEncoder(&out).Encode(n); err != nil {
		t.Fatal(err)
	}
	for _, leak := range []string{"123456\"", "123456}", " 123456", "313233343536", "49 50 51"} {
		if strings.Contains(out.String(), leak) {
			t.Fatalf("the pin is printed as %q in %s", leak, out.String())
		}
	}
}

func TestDefaultsAndPaths(t *testing.T) {
	path := write(t, `[network]
type = "regtest"
[server]
role = "node"
[node]
index = 127
storage_path = "data"
max_signers = 128
min_signers = 2
access = "../a.toml"
key_provider = { type = "software", key_file = "k.json" }
[bus]
credentials = "c.creds"
`)
	dir := filepath.Dir(path)
	n, err := parseNode(path)
	if err != nil {
		t.Fatal(err)
	}
	for got, want := range map[string]string{
		n.Node.StoragePath: filepath.Join(dir, "data"),
		n.Node.Manifest:    filepath.Join(dir, "data", "manifest.json"),
		n.Node.Access:      filepath.Join(filepath.Dir(dir), "a.toml"),
		n.Node.KeyProvider.Section.(*software.Section).KeyFile: filepath.Join(dir, "k.json"),
		n.Bus.Credentials: filepath.Join(dir, "c.creds"),
		n.Server.Host:     "127.0.0.1",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if n.Server.Port != 4000 {
		t.Errorf("port %d", n.Server.Port)
	}
}

func TestAccess(t *testing.T) {
	a, err := LoadAccess(filepath.Join("..", "..", "configs", "access.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Gateways) != 1 || len(a.Clients) != 2 || a.Clients[1].Name != "deposits" ||
		!reflect.DeepEqual(a.Clients[0].Kinds, []wire.Kind{"keygen", "sign"}) || len(a.Clients[0].PublicKey) != 32 {
		t.Fatalf("%+v", a)
	}
}

func TestGateway(t *testing.T) {
	g, err := ParseGateway(filepath.Join("..", "..", "configs", "gateway.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if !g.Gateway.CompactEntries || !g.Bus.Embedded || g.Bus.Port != 4222 || !filepath.IsAbs(g.Bus.StorePath) || !filepath.IsAbs(g.Gateway.KeyFile) {
		t.Fatalf("%+v", g)
	}
}

func TestCheckManifest(t *testing.T) {
	path := write(t, awsKMS)
	n, err := loadNode(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.checkManifest(&wire.Manifest{N: 3, T: 2, Network: "mainnet",
		Nodes: make([]wire.NodeCard, 3)}); err != nil {
		t.Fatal(err)
	}
	err = n.checkManifest(&wire.Manifest{N: 5, T: 4, Network: "signet"})
	want := []string{
		path + `:2: network.type: is "mainnet", and the manifest has network "signet"`,
		path + `:8: node.index: is 0, and the manifest lists 0 nodes, from 0`,
		path + `:10: node.max_signers: is 3, and the manifest has n = 5`,
		path + `:11: node.min_signers: is 2, and the manifest has t = 4`,
	}
	if err == nil || err.Error() != strings.Join(want, "\n") {
		t.Fatalf("got\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
}
