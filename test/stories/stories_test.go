// Package stories_test is `make stories`: what docs/operations.md says of changing a fleet,
// from cards to retirement, typed by hand as it is there, with real programs, SoftHSM and an
// imitation of AWS KMS. Each takes minutes on a busy machine, so all of it is the long form;
// with the other tests runs the story of a lost node (test/e2e, generations.txtar).
package stories_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/keyprovider/pkcs11"
	"github.com/frostfleet/frostfleet/internal/pin"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/kmstest"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

var long = flag.Bool("long", false, "run the stories")

func TestMain(m *testing.M) {
	flag.Parse()
	if !*long {
		fmt.Println("the stories run with make stories")
		return
	}
	code := m.Run()
	if bin, err := fleettest.Build(); err == nil {
		_ = os.RemoveAll(bin)
	}
	os.Exit(code)
}

// TestLostNode replaces a node whose machine is gone.
func TestLostNode(t *testing.T) {
	s := begin(t, fleettest.Options{})
	s.Kill(fleettest.NodeName(2))
	s.now = s.now[:2]
	s.change(change{n: 3, t: 2, forced: true, stay: []int{0, 1}, joins: []fleettest.Joiner{s.join("new", 2, 3, 2, "")}})
	s.signs("with the new node and one other", fleettest.NodeName(0))
}

// TestTokensToKMSAndBack changes every device, and changes it back.
func TestTokensToKMSAndBack(t *testing.T) {
	kmstest.Setenv(t)
	hsm, moto := softhsm.New(t), kmstest.StartMoto(t)
	sections := map[int]string{}
	for i := range 3 {
		sections[i] = provisioned(t, hsm, hsm.Token(t, fmt.Sprint("first", i)))
	}
	s := begin(t, fleettest.Options{Providers: sections})
	var kms, tokens []fleettest.Joiner
	for i := range 3 {
		kms = append(kms, s.join("kms", i, 3, 2, fmt.Sprintf(
			"type = \"aws-kms\"\nkey_id = %q\nderivation_key_id = %q\nendpoint = %q\n",
			moto.CreateKey(kmstest.Identity), moto.CreateKey(kmstest.Derivation), moto.Endpoint())))
	}
	s.change(change{n: 3, t: 2, joins: kms, says: "type secrkey --label 'frost-derivation'"})
	for i := range 3 {
		hsm.Delete(t, fmt.Sprint("first", i))
	}
	s.signs("the tokens are gone")
	for i := range 3 {
		tokens = append(tokens, s.join("token", i, 3, 2, section(hsm, hsm.Token(t, fmt.Sprint("second", i)), derivation)))
	}
	s.change(change{n: 3, t: 2, joins: tokens, says: "aws kms schedule-key-deletion"})
	s.signs("without node 2", tokens[2].Name)
}

// TestRefresh gives each device another derivation key, and leaves the identity key. Who
// stole all disks before has nothing once the old derivation keys are destroyed, not even
// with t-1 of the new nodes.
func TestRefresh(t *testing.T) {
	hsm := softhsm.New(t)
	tokens, sections := map[int]softhsm.Token{}, map[int]string{}
	for i := range 3 {
		tokens[i] = hsm.Token(t, fmt.Sprint("refreshed", i))
		sections[i] = provisioned(t, hsm, tokens[i])
	}
	s := begin(t, fleettest.Options{Providers: sections})
	thief := s.steal()
	var fresh []fleettest.Joiner
	for i := range 3 {
		fresh = append(fresh, s.join("fresh", i, 3, 2, section(hsm, tokens[i], "frost-derivation-2")))
	}
	s.change(change{n: 3, t: 2, joins: fresh, says: "this device's identity key, which stays, and another derivation key"})

	// The theft counts as long as there are the old derivation keys.
	if out, err := thief.reconstruct(thief.exports("before", thief.disks[:2]...)...); err != nil {
		t.Fatalf("the old shares are no theft: nothing is shown here: %v %s", err, out)
	}
	for i := range 3 {
		hsm.Destroy(t, tokens[i], derivation)
	}
	s.signs("the old derivation keys are gone", fresh[0].Name)
	for i, disk := range thief.disks {
		if err := thief.export(disk, filepath.Join(s.Dir, fmt.Sprint("after", i))); err == nil {
			t.Errorf("disk %d gives its share away without its derivation key", i)
		} else {
			t.Log(err)
		}
		s.Configure(filepath.Join(disk, "node.toml"), "derivation_key_label", `"frost-derivation-2"`)
		if err := thief.export(disk, filepath.Join(s.Dir, fmt.Sprint("other", i))); err == nil {
			t.Errorf("disk %d gives its share away with the new derivation key", i)
		} else {
			t.Log(err)
		}
	}

	// t'-1 new nodes beside them: their shares make no key, and the fleet of them does not sign.
	s.Stop(fresh[0].Name)
	thief.allow(fresh[0].File)
	if out, err := thief.reconstruct(thief.exports("new", filepath.Dir(fresh[0].File))...); err == nil ||
		!strings.Contains(err.Error(), "files of 1 of the 2 nodes") {
		t.Errorf("one new share: %v %s", err, out)
	}
	s.Kill(fresh[1].Name)
	for i, disk := range thief.disks {
		s.StartWorker(fmt.Sprint("thief", i), filepath.Join(disk, "node.toml"))
	}
	s.expired()
}

// TestGrowAndShrink has a fleet be 2-of-3, 3-of-5 and 2-of-3.
func TestGrowAndShrink(t *testing.T) {
	s := begin(t, fleettest.Options{})
	s.Do("frostctl", "bus", "apply", "--fleet", fleettest.Name, "--nodes", "5", "--url", s.URL)
	joins := []fleettest.Joiner{s.join("grown", 3, 5, 3, ""), s.join("grown", 4, 5, 3, "")}
	s.change(change{n: 5, t: 3, stay: []int{0, 1, 2}, joins: joins})
	s.signs("without nodes 0 and 1", fleettest.NodeName(0), fleettest.NodeName(1))
	s.change(change{n: 3, t: 2, stay: []int{0, 1, 2}, says: "Destroy its keys"})
	s.signs("without node 0", fleettest.NodeName(0))
}

// derivation is the label of the first derivation key of a token.
const derivation = "frost-derivation"

// section of a node's configuration.
func section(hsm *softhsm.HSM, token softhsm.Token, derivation string) string {
	return fmt.Sprintf("type = \"pkcs11\"\npkcs11_library = %q\ntoken_label = %q\nkey_label = \"frost-identity\"\n"+
		"derivation_key_label = %q\npin = %q\n", hsm.Library(), token.Label, derivation, token.PIN)
}

// provisioned is the section of a token on which a founding node's keys are.
func provisioned(t *testing.T, hsm *softhsm.HSM, token softhsm.Token) string {
	t.Helper()
	o := pkcs11.Options{
		Section: pkcs11.Section{
			Library: hsm.Library(), TokenLabel: token.Label, KeyLabel: "frost-identity", DerivationKeyLabel: derivation,
		},
		PIN: pin.Literal(secret.New([]byte(token.PIN))),
	}
	if _, err := pkcs11.Provision(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return section(hsm, token, derivation)
}

// founding is the configuration of a node that the fleet began with.
func founding(p *fleettest.Processes, i int) fleettest.Joiner {
	return fleettest.Joiner{Name: fleettest.NodeName(i), Index: i, N: 3, T: 2, Manifest: fleet.ManifestFile,
		File: filepath.Join(p.Dir, fleet.NodeFile(i))}
}
