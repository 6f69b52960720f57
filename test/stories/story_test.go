package stories_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"
	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// story is a fleet, and the keys that it had before anything changed.
type story struct {
	*fleettest.Processes
	t        *testing.T
	user     *client.Client
	now      []fleettest.Joiner // workers of the manifest of now
	manifest string             // its file in the fleet's folder
	epoch    int
	signers  []signer
	messages int
}

// signer is a key, or a child of one, and what must verify its signatures: taken from the
// address, or from the descriptor, that somebody wrote down before the fleet changed.
type signer struct {
	client.SignItem
	chain  string
	public []byte
}

// Keys that the fleet has before it changes, of each chain, and the child of each.
const (
	keys  = 40
	child = 5
)

// begin starts a fleet that has keys and signs.
func begin(t *testing.T, o fleettest.Options) *story {
	t.Helper()
	s := &story{t: t, Processes: fleettest.StartProcesses(t, o), manifest: fleet.ManifestFile, epoch: 1}
	for i := range 3 {
		s.now = append(s.now, founding(s.Processes, i))
	}
	s.AwaitReady()
	s.user = s.Client()
	for _, chain := range []string{"bitcoin", "solana"} {
		made, err := s.user.Keygen(t.Context(), client.KeygenRequest{Chain: chain, Count: keys})
		s.must(err)
		for _, k := range made.Keys {
			s.signers = append(s.signers, signer{client.SignItem{Key: k.ID, PublicKey: k.PublicKey}, chain, outputOf(t, k.Address)})
		}
		if chain == "bitcoin" {
			s.child(made.Keys[0])
		}
	}
	s.signs("the fleet as it was founded")
	return s
}

// child adds a child of a key, as a wallet finds it in the descriptor.
func (s *story) child(k client.Key) {
	s.t.Helper()
	account, err := k.Account()
	s.must(err)
	all, err := account.Descriptors()
	s.must(err)
	found := regexp.MustCompile(`^tr\(\[[0-9a-f]{8}\](tpub[^/]+)/<0;1>/\*\)#`).FindStringSubmatch(all.Both)
	if found == nil {
		s.t.Fatalf("descriptor %s", all.Both)
	}
	of, err := hdkeychain.NewKeyFromString(found[1])
	s.must(err)
	for _, step := range []uint32{0, child} {
		of, err = of.Derive(step)
		s.must(err)
	}
	internal, err := of.ECPubKey()
	s.must(err)
	s.signers = append(s.signers, signer{
		client.SignItem{Key: k.ID, PublicKey: k.PublicKey, ChainCode: k.ChainCode, Path: fmt.Sprint("0/", child)}, "bitcoin",
		schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(internal)),
	})
}

// outputOf is the key that an address says.
func outputOf(t *testing.T, address string) []byte {
	t.Helper()
	if strings.HasPrefix(address, "bcrt1p") {
		decoded, err := btcutil.DecodeAddress(address, &chaincfg.RegressionNetParams)
		if err != nil {
			t.Fatal(err)
		}
		return decoded.ScriptAddress()
	}
	decoded, err := base58.Decode(address)
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

func (s *story) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// signs has every address from before signed for, without some of the workers, and has
// btcec and crypto/ed25519 verify that. The client has known the founding manifest all the
// while, and a second one starts with it.
func (s *story) signs(when string, without ...string) {
	s.t.Helper()
	for _, name := range without {
		s.Kill(name)
	}
	for _, c := range []*client.Client{s.user, s.Client()} {
		for _, chain := range []string{"bitcoin", "solana"} {
			s.signWith(c, chain, when)
		}
	}
	for _, name := range without {
		i := slices.IndexFunc(s.now, func(j fleettest.Joiner) bool { return j.Name == name })
		s.StartJoiner(s.now[i])
	}
}

func (s *story) signWith(c *client.Client, chain, when string) {
	s.t.Helper()
	var items []client.SignItem
	var public [][]byte
	for _, one := range s.signers {
		if one.chain != chain {
			continue
		}
		s.messages++
		message := sha256.Sum256(fmt.Append(nil, when, s.messages))
		item := one.SignItem
		item.Message = message[:]
		items, public = append(items, item), append(public, one.public)
	}
	signed, err := c.Sign(s.t.Context(), client.SignRequest{Items: items})
	if err != nil {
		s.t.Fatalf("%s: %v", when, err)
	}
	for i, one := range signed.Signatures {
		if !verifies(chain, public[i], items[i].Message, one.Signature) {
			s.t.Fatalf("%s: signature by %s %s does not verify", when, items[i].Key, items[i].Path)
		}
	}
	s.t.Logf("%s: %d %s signatures verify", when, len(items), chain)
}

func verifies(chain string, public, message, signature []byte) bool {
	if chain == "solana" {
		return ed25519.Verify(public, message, signature)
	}
	key, err := schnorr.ParsePubKey(public)
	if err != nil {
		return false
	}
	parsed, err := schnorr.ParseSignature(signature)
	return err == nil && parsed.Verify(message, key)
}

// join writes the configuration of a worker of the next manifest, and makes its keys.
func (s *story) join(name string, index, n, t int, section string) fleettest.Joiner {
	s.t.Helper()
	j := s.Join(fleettest.Joiner{
		Name: fmt.Sprintf("%s%d", name, index), Index: index, N: n, T: t, Manifest: nextFile(s.epoch + 1), Section: section,
	})
	s.Do("frost-worker", "provision", "--config", j.File)
	s.Do("frost-worker", "selftest", "--config", j.File, "--enrolling")
	return j
}

func nextFile(epoch int) string { return fmt.Sprintf("next%d.json", epoch) }

// change is what the next manifest is to be.
type change struct {
	n, t   int
	stay   []int // nodes of now whose devices stay, at their indices
	joins  []fleettest.Joiner
	forced bool
	says   string // what retiring tells on machines whose old device keys are of no more use
}

// change follows docs/operations.md, "Change the fleet", from the cards to the retirement.
func (s *story) change(c change) {
	s.t.Helper()
	epoch := fmt.Sprint(s.epoch + 1)
	now, next := filepath.Join(s.Dir, s.manifest), filepath.Join(s.Dir, nextFile(s.epoch+1))
	prepare := []string{"fleet", "next", "prepare", "--manifest", now, "--threshold", fmt.Sprint(c.t), "--out", next}
	for _, i := range c.stay {
		prepare = append(prepare, s.card(i, "enroll", "--config", s.now[i].File, "--next", "--nodes", fmt.Sprint(c.n),
			"--threshold", fmt.Sprint(c.t)))
	}
	for _, j := range c.joins {
		prepare = append(prepare, s.card(j.Index, "enroll", "--config", j.File, "--fleet", fleettest.Name, "--epoch", epoch))
	}
	s.t.Logf("%s", s.Do("frostctl", prepare...))
	s.Do("frostctl", "fleet", "next", "check", next, "--manifest", now)
	for _, j := range s.now {
		accept := []string{"accept-manifest", next, "--config", j.File, "--yes"}
		if c.forced {
			accept = append(accept, "--forced")
		}
		s.Do("frost-worker", accept...)
	}
	for _, j := range c.joins {
		s.StartJoiner(j)
	}
	s.t.Logf("%s", s.Do("frostctl", "fleet", "reshare", next, "--manifest", now, "--url", s.URL, "--every", "100ms"))
	s.signs("before anybody retires")
	s.retireAll(c)
	s.manifest = nextFile(s.epoch + 1)
	s.epoch++
	s.signs("after all have retired")
}

func (s *story) card(index int, enroll ...string) (file string) {
	s.t.Helper()
	file = filepath.Join(s.Dir, fmt.Sprintf("card%d-%d.json", s.epoch+1, index))
	s.must(os.WriteFile(file, []byte(s.Do("frost-worker", enroll...)), 0o600))
	return file
}

// retireAll has one worker after the other stop and wipe its shares, and those that stay
// start again under the next manifest. A storage that has retired does not run.
func (s *story) retireAll(c change) {
	s.t.Helper()
	old := s.now
	s.now = c.joins
	for i, j := range old {
		s.Stop(j.Name)
		said := s.Do("frost-worker", "retire", "--config", j.File, "--yes")
		s.t.Logf("retire %s:\n%s", j.Name, said)
		want := c.says
		if slices.Contains(c.stay, i) {
			want = "the next manifest needs this device's keys, so they stay"
		}
		if !strings.Contains(said, want) {
			s.t.Errorf("it does not say %q", want)
		}
		if out, err := s.Run("frost-worker", "run", "--config", j.File); err == nil || !strings.Contains(err.Error(), "retired") {
			s.t.Fatalf("%s runs after it has retired: %v %s", j.Name, err, out)
		}
		if !slices.Contains(c.stay, i) {
			continue
		}
		j.N, j.T, j.Manifest = c.n, c.t, nextFile(s.epoch+1)
		s.ConfigureMember(j)
		s.StartJoiner(j)
		s.now = append(s.now, j)
	}
	slices.SortFunc(s.now, func(a, b fleettest.Joiner) int { return a.Index - b.Index })
}

// ceremony is how thieves of disks use the programs: what frost-worker export-share gives
// them of t disks, frostctl reconstruct makes whole keys of.
type ceremony struct {
	*story
	key, recipient string
	disks          []string // folders, with configuration, of the founding manifest
}

// steal copies the folders of all nodes while they stand still, as an image of the machine
// has them.
func (s *story) steal() *ceremony {
	s.t.Helper()
	c := &ceremony{story: s, key: filepath.Join(s.Dir, "ceremony.key")}
	said := s.Do("frostctl", "reconstruct", "keygen", "-o", c.key)
	found := regexp.MustCompile(`age1[a-z0-9]{58}`).FindString(said)
	if found == "" {
		s.t.Fatal(said)
	}
	c.recipient = found
	for i, j := range s.now {
		s.Stop(j.Name)
		disk := filepath.Join(s.Dir, fmt.Sprint("stolen", i))
		s.must(os.CopyFS(disk, os.DirFS(filepath.Dir(j.File))))
		c.disks = append(c.disks, disk)
		c.allow(filepath.Join(disk, "node.toml"))
		s.StartJoiner(j)
	}
	s.AwaitReady()
	return c
}

// allow has a configuration let shares out: thieves have the file.
func (c *ceremony) allow(file string) {
	c.t.Helper()
	text, err := os.ReadFile(file)
	c.must(err)
	c.must(os.Chmod(filepath.Dir(file), 0o700))
	c.must(os.Remove(file))
	c.must(os.WriteFile(file, fmt.Appendf(text, "\n[exit]\nallow = true\nrecipient = %q\n", c.recipient), 0o600))
}

// export has a share of the first key taken out of a folder.
func (c *ceremony) export(folder, out string) error {
	_, err := c.Run("frost-worker", "export-share", "--config", filepath.Join(folder, "node.toml"), "--recipient", c.recipient,
		"--keys", c.signers[0].Key, "-o", out, "--yes")
	return err
}

// exports wants one of each folder.
func (c *ceremony) exports(name string, folders ...string) (files []string) {
	c.t.Helper()
	for i, folder := range folders {
		file := filepath.Join(c.Dir, fmt.Sprintf("%s%d.exit", name, i))
		c.must(c.export(folder, file))
		files = append(files, file)
	}
	return files
}

func (c *ceremony) reconstruct(files ...string) (string, error) {
	return c.Run("frostctl", append([]string{"reconstruct", "--key", c.key, "--print"}, files...)...)
}

// expired asks for a signature that nobody can make, and wants that to be said.
func (s *story) expired() {
	s.t.Helper()
	item := s.signers[0].SignItem
	item.Message = make([]byte, 32)
	_, err := s.user.Sign(s.t.Context(), client.SignRequest{Items: []client.SignItem{item}, Expires: time.Now().Add(8 * time.Second)})
	if err == nil || !strings.Contains(err.Error(), "expired") && !strings.Contains(err.Error(), "not_enough") {
		s.t.Fatalf("a signature without t nodes: %v", err)
	}
	s.t.Log(err)
}
