package providers_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/keyprovider/pkcs11"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/kmstest"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

// TestNothingTellsASecret: a whole run at level debug, with an HSM, a KMS and
// software keys, with jobs that fail, a node that is killed and rebuilt and one
// whose device goes away, and then all that was said, searched for every secret
// of the fleet that there is to know.
func TestNothingTellsASecret(t *testing.T) {
	kmstest.Setenv(t)
	hsm, server := softhsm.New(t), kmstest.StartFaultKMS(t)
	token, section := token(t, hsm, "secrets", pkcs11.HMAC)
	_, kms := kmsNode(server)
	f := fleettest.StartProcesses(t, fleettest.Options{
		Providers: map[int]string{0: section, 1: kms}, Flags: []string{"--log-level", "debug", "--log-format", "json"},
	})
	c := f.Client()
	f.AwaitReady()

	keys := append(generate(t, c, "bitcoin", 3), generate(t, c, "solana", 2)...)
	sign(t, c, keys[:3], "one")
	if _, err := c.Sign(t.Context(), client.SignRequest{Items: []client.SignItem{
		{Key: strings.Repeat("0", 32) + ".0", PublicKey: keys[0].PublicKey, Message: make([]byte, 32)},
	}}); err == nil {
		t.Fatal("an unknown key signed")
	}
	said := f.Log(fleettest.NodeName(2))
	f.Kill(fleettest.NodeName(2))
	shares := sharesOf(t, f.Dir, keys)
	f.WipeNode(2)
	f.StartNode(2)
	f.AwaitReady()
	server.Everywhere(kmstest.Fault{Code: "DisabledException", Message: "the key is disabled"})
	sign(t, c, keys[3:], "two")
	server.Everywhere()

	for i := range 3 {
		said += f.Log(fleettest.NodeName(i)) + f.Metrics(i) + get(t, strings.Replace(f.MetricsURL(fleettest.NodeName(i)), "/metrics", "/readyz", 1))
	}
	said += f.Log(fleettest.GatewayName) + f.GatewayMetrics() + f.Log("bus")
	for _, must := range []string{`"level":"DEBUG"`, "recovered", "frostfleet_nonces_total", `"ready"`, keys[0].ID[:32]} {
		if !strings.Contains(said, must) {
			t.Fatalf("the run does not tell %q: the search would prove nothing", must)
		}
	}
	secrets := append(shares, secretsOf(t, f.Dir)...)
	secrets = append(
		secrets,
		known{"the token's PIN", []byte(token.PIN)},
		known{"the token's SO PIN", []byte(token.SOPIN)},
		known{"the AWS secret key", []byte(os.Getenv("AWS_SECRET_ACCESS_KEY"))},
	)
	for _, s := range secrets {
		if len(s.bytes) < 8 {
			t.Fatalf("%s has %d bytes: too few to search for", s.what, len(s.bytes))
		}
		for form, text := range forms(s.bytes) {
			if strings.Contains(said, text) {
				t.Errorf("%s was told, as %s", s.what, form)
			}
		}
	}
	t.Logf("%d secrets in %d KiB", len(secrets), len(said)>>10)
}

// known is a secret that this test knows.
type known struct {
	what  string
	bytes []byte
}

// forms are the ways in which bytes get into a text.
func forms(b []byte) map[string]string {
	quoted, _ := json.Marshal(string(b))
	return map[string]string{
		"plain text":  string(b),
		"JSON":        strings.Trim(string(quoted), `"`),
		"%q":          strings.Trim(fmt.Sprintf("%q", b), `"`),
		"hexadecimal": hex.EncodeToString(b),
		"HEXADECIMAL": strings.ToUpper(hex.EncodeToString(b)),
		"base64":      strings.TrimRight(base64.StdEncoding.EncodeToString(b), "="),
		"base64 URL":  strings.TrimRight(base64.URLEncoding.EncodeToString(b), "="),
		"%v": strings.Trim(
			fmt.Sprint(b),
			"[]",
		),
		"a JSON list": strings.ReplaceAll(strings.Trim(fmt.Sprint(b), "[]"), " ", ","),
	}
}

// secretsOf reads what lies in files: the keys of the parties and of the node
// with software keys.
func secretsOf(t *testing.T, dir string) (all []known) {
	t.Helper()
	for _, name := range []string{"client.key", "gateway/gateway.key"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		seed, err := hex.DecodeString(string(bytes.TrimSpace(text)))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, known{name, seed})
	}
	text, err := os.ReadFile(filepath.Join(dir, filepath.Dir(fleet.NodeFile(2)), "key.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Identity, Derivation []byte }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return append(all, known{"the identity key", file.Identity}, known{"the derivation key", file.Derivation})
}

// sharesOf opens what node 2 keeps, with what its provider derives: its share of
// each key, and the derived keys themselves.
func sharesOf(t *testing.T, dir string, keys []client.Key) (all []known) {
	t.Helper()
	n, err := launch.LoadNode(filepath.Join(dir, fleet.NodeFile(2)))
	if err != nil {
		t.Fatal(err)
	}
	p, err := launch.OpenProvider(t.Context(), n, launch.ProviderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var seal [32]byte
	for _, purpose := range []string{"host", "hedge", "seal"} {
		key, err := p.Derive(t.Context(), fmt.Appendf(nil, "frostfleet/%s/v1/%s/1", purpose, fleettest.Name))
		if err != nil {
			t.Fatal(err)
		}
		seal = key
		all = append(all, known{"the " + purpose + " key", key[:]})
	}
	m, err := config.LoadManifest(n.Node.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	mh := m.Hash()
	seal = frost.Hash("frostfleet/seal-key/v1", seal[:], mh[:])
	all = append(all, known{"the seal key under the manifest", bytes.Clone(seal[:])})
	store, err := keystore.Open(n.Node.StoragePath, &seal)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, k := range keys {
		id, err := wire.ParseKeyID(k.ID)
		if err != nil {
			t.Fatal(err)
		}
		key, err := store.Key(id.Batch, id.Index)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, known{"a share of " + k.ID, bytes.Clone(key.Share.Expose())})
	}
	return all
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
