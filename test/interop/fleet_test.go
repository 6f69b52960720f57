package interop_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// chains have keys.
var chains = []string{wire.Bitcoin, wire.Solana}

// fleet is a running one, with keys that it generated.
type fleet struct {
	*fleettest.Fleet
	network  string
	frostctl string
	manifest *client.Manifest
	files    map[string]string       // frostctl's keys files, by chain
	keys     map[string][]client.Key // what they prove
	random   *rand.Rand
}

func startFleet(t *testing.T, frostctl, network string, keys int) *fleet {
	t.Helper()
	f := &fleet{
		Fleet: fleettest.Start(t, fleettest.Options{Network: network}), network: network, frostctl: frostctl,
		files: map[string]string{}, keys: map[string][]client.Key{},
	}
	f.manifest = must(client.LoadManifest(filepath.Join(f.Dir, "manifest.json")))
	for _, chain := range chains {
		f.files[chain] = filepath.Join(t.TempDir(), chain+".jsonl")
		f.run(t, "", "keygen", "--chain", chain, "--count", strconv.Itoa(keys), "--out", f.files[chain])
		for line := range bytes.Lines(must(os.ReadFile(f.files[chain]))) {
			var proof client.Proof
			if err := json.Unmarshal(line, &proof); err != nil {
				t.Fatal(err)
			}
			f.keys[chain] = append(f.keys[chain], must(proof.Verify(f.manifest))...)
		}
		if len(f.keys[chain]) != keys {
			t.Fatalf("%d keys of %s", len(f.keys[chain]), chain)
		}
	}
	return f
}

// command is a call of frostctl, in the fleet's name.
func (f *fleet) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), f.frostctl, args...)
	cmd.Env = append(os.Environ(), "FROSTCTL_CONFIG="+f.ClientFile())
	return cmd
}

// run returns what frostctl prints.
func (f *fleet) run(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := f.command(t, args...)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = strings.NewReader(stdin), &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("frostctl %s: %v\n%s", strings.Join(args, " "), err, &said)
	}
	return string(out)
}

// key is one of the chain's keys.
func (f *fleet) key(chain string) client.Key { return f.keys[chain][f.random.IntN(len(f.keys[chain]))] }

// path is one of at most depth steps.
func (f *fleet) path(depth int) string {
	steps := make([]string, f.random.IntN(depth+1))
	for i := range steps {
		steps[i] = strconv.FormatUint(uint64(f.index(1)), 10)
	}
	return strings.Join(steps, "/")
}

// index is the first of some indexes, near either end or anywhere.
func (f *fleet) index(count int) uint32 {
	last := uint32(client.MaxIndex - count + 1)
	switch f.random.IntN(4) {
	case 0:
		return last
	case 1:
		return f.random.Uint32N(last)
	default:
		return f.random.Uint32N(200)
	}
}
