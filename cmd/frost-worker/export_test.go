package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/audit"
	"github.com/frostfleet/frostfleet/internal/exit"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/internal/worker"
	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

// leaving is a fleet with keys, whose nodes are stopped and allow it to leave.
type leaving struct {
	*fleettest.Fleet
	identity *exit.Identity
	keys     map[string][]client.Key
}

func leave(t *testing.T, o fleettest.Options) *leaving {
	t.Helper()
	identity, err := exit.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	f := &leaving{fleettest.Start(t, o), identity, map[string][]client.Key{}}
	cfg, err := client.Load(f.ClientFile())
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, chain := range []string{wire.Bitcoin, wire.Solana} {
		r, err := c.Keygen(t.Context(), client.KeygenRequest{Chain: chain, Count: 2})
		if err != nil {
			t.Fatal(err)
		}
		f.keys[chain] = r.Keys
	}
	for i := range f.Manifest.N {
		f.StopNodeWith(i, len(f.keys))
		f.allow(t, i, identity.Recipient().String())
	}
	f.Stop()
	return f
}

func (f *leaving) config(node int) string { return filepath.Join(f.Dir, fleet.NodeFile(node)) }

// allow replaces what a node's file says of leaving.
func (f *leaving) allow(t *testing.T, node int, recipient string) {
	t.Helper()
	text, err := os.ReadFile(f.config(node))
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(text), "\n[exit]")
	if recipient != "" {
		before += fmt.Sprintf("\n[exit]\nallow = true\nrecipient = %q\n", recipient)
	}
	if err := os.WriteFile(f.config(node), []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
}

// arguments export all keys.
func (f *leaving) arguments(node int, out string) []string {
	args := []string{"export-share", "--config", f.config(node), "--recipient", f.identity.Recipient().String(),
		"-o", out, "--yes"}
	for _, keys := range f.keys {
		for _, k := range keys {
			args = append(args, "--keys", k.ID)
		}
	}
	return args
}

func (f *leaving) open(t *testing.T, path string) exit.Named {
	t.Helper()
	sealed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := exit.Open(sealed, f.identity)
	if err != nil {
		t.Fatal(err)
	}
	return exit.Named{Name: path, File: file}
}

// frozen has node 0 know of a freeze for a while.
func (f *leaving) frozen(t *testing.T, scope wire.FreezeScope, name string) func() (after func()) {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	access, err := wire.NewAccess(nil, nil)
	if err == nil {
		access, err = access.WithAdministrators([]wire.Administrator{{Name: "x", Key: public}}, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	book := wire.NewFreezeBook(f.Manifest)
	statement := wire.Encode(&wire.FreezeStatement{
		Action: wire.ActionFreeze, Scope: scope, Name: name, Reason: "why", Time: 1e9,
	})
	message := wire.FreezeMessage(statement, wire.SignFreeze(key, f.Manifest, "x", statement))
	if _, err := book.Add(access, wire.ControlSubject("x"), message); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(f.NodeConfig(0).Node.StoragePath, worker.FreezesFile)
	return func() (after func()) {
		before, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, book.Keep(), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := os.WriteFile(path, before, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// next writes a manifest that follows the fleet's: of its nodes from one on.
func (f *leaving) next(t *testing.T, first int) (path string) {
	t.Helper()
	hash := f.Manifest.Hash()
	m := &wire.Manifest{
		Version: wire.SuccessorVersion, Fleet: f.Manifest.Fleet, Network: f.Manifest.Network, T: 1,
		Epoch: f.Manifest.Epoch + 1, Genesis: hash[:], Previous: hash[:], N: f.Manifest.N - first,
	}
	for i, card := range f.Manifest.Nodes[first:] {
		card.Index = i
		m.Nodes = append(m.Nodes, card)
	}
	if err := m.Seal(); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return keysFile(t, string(text))
}

// exports are the records of exports in a node's log, which verifies.
func (f *leaving) exports(t *testing.T, node int) (records []audit.Record) {
	t.Helper()
	files, err := audit.Files(filepath.Join(f.NodeConfig(node).Node.StoragePath, "audit"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = audit.Verify(t.Context(), files, audit.Options{Each: func(_ audit.File, r *audit.Record) error {
		if r.Event == audit.EventExport {
			records = append(records, *r)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// TestExportShare: shares of a node with software keys and of one with a token make the
// fleet's keys whole, and each node's log has what left.
func TestExportShare(t *testing.T) {
	hsm := softhsm.New(t)
	token := hsm.Token(t, "leaving")
	section := fmt.Sprintf("type = \"pkcs11\"\npkcs11_library = %q\ntoken_label = \"leaving\"\nkey_label = \"i\"\n"+
		"derivation_key_label = \"d\"\npin = %q", hsm.Library(), token.PIN)
	must(t, "provision", "--config", node(t, section+"\n"))
	f := leave(t, fleettest.Options{Providers: map[int]string{2: section}})
	var files []exit.Named
	for _, i := range []int{0, 2} {
		out := filepath.Join(t.TempDir(), "share.exit")
		if said := must(t, f.arguments(i, out)...); !strings.Contains(said, "shares of 4 keys of node") {
			t.Errorf("printed %s", said)
		}
		files = append(files, f.open(t, out))
		records := f.exports(t, i)
		if len(records) != 2 {
			t.Fatalf("%d records", len(records))
		}
		for _, r := range records {
			if r.Client != fleettest.Client || r.Count != 2 || len(r.Digest) != 64 || len(r.Session) != 32 ||
				r.Reason != "keys 0-1, encrypted to "+f.identity.Recipient().String() {
				t.Errorf("%+v", r)
			}
		}
	}
	roots, err := exit.Reconstruct(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range slices.Concat(f.keys[wire.Bitcoin], f.keys[wire.Solana]) {
		at := slices.IndexFunc(roots, func(r exit.Root) bool { return r.ID == k.ID })
		if at < 0 || !bytes.Equal(roots[at].PublicKey, k.PublicKey) || !bytes.Equal(roots[at].ChainCode[:], k.ChainCode) ||
			roots[at].Network != f.Manifest.Network || roots[at].Owner != fleettest.Client {
			t.Errorf("key %s is not among the whole ones", k.ID)
		}
	}
}

// TestExportShareRefuses: each refusal has its word, writes no file, and no share leaves.
func TestExportShareRefuses(t *testing.T) {
	f := leave(t, fleettest.Options{})
	other, err := exit.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	recipient, id := f.identity.Recipient().String(), f.keys[wire.Solana][0].ID
	storage := f.NodeConfig(0).Node.StoragePath
	aside := func(name string) (back func()) {
		path := filepath.Join(storage, name)
		if err := os.Rename(path, path+".aside"); err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := errors.Join(os.RemoveAll(path), os.Rename(path+".aside", path)); err != nil {
				t.Fatal(err)
			}
		}
	}
	nothing := func() func() { return func() {} }
	later, stranger := f.next(t, 0), f.next(t, 1)
	for name, test := range map[string]struct {
		before    func() (after func())
		recipient string
		keys      []string
		says      string
	}{
		"not allowed": {func() func() {
			f.allow(t, 0, "")
			return func() { f.allow(t, 0, recipient) }
		}, recipient, []string{id}, "recipient = \"" + recipient},
		"a later manifest": {nothing, recipient, []string{id, "--manifest", later}, "/keystore.db is not there"},
		"a later manifest of others": {nothing, recipient, []string{id, "--manifest", stranger},
			"this device has no node in it"},
		"another recipient": {nothing, other.Recipient().String(), []string{id}, "pins " + recipient},
		"no recipient":      {nothing, "age1", []string{id}, "--recipient: not a ceremony's recipient"},
		"no key":            {nothing, recipient, []string{keysFile(t, "# none\n")}, "no key is named"},
		"no such key": {nothing, recipient, []string{strings.Repeat("0", 32) + ".0"},
			"batch is not in the keystore"},
		"an index too high": {nothing, recipient, []string{id[:33] + "7"}, "has keys 0 to 1, not 7"},
		"no file of keys":   {nothing, recipient, []string{"none.jsonl"}, "--keys none.jsonl"},
		"another file": {nothing, recipient, []string{keysFile(t, id+"\n{}\n")},
			"line 2: neither a key's id nor a line"},
		"a file of junk": {nothing, recipient, []string{keysFile(t, "x\n")}, "line 1: key id \"x\""},
		"no keystore": {func() func() { return aside(keystore.FileName) }, recipient, []string{id},
			"holds nothing until it has run"},
		"no freezes": {func() func() { return aside("freezes") }, recipient, []string{id},
			"can't tell what administrators froze"},
		"no audit log": {func() func() {
			back := aside("audit")
			if err := os.WriteFile(filepath.Join(storage, "audit"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return back
		}, recipient, []string{id}, "nothing was exported: audit log"},
		"a frozen key": {f.frozen(t, wire.FreezeKey, id), recipient, []string{id}, "is frozen by administrator x"},
		"a frozen client": {f.frozen(t, wire.FreezeClient, fleettest.Client), recipient, []string{id},
			"is frozen by administrator x"},
		"a frozen fleet": {f.frozen(t, wire.FreezeFleet, ""), recipient, []string{id}, "is frozen by administrator x"},
		"the worker runs": {func() func() {
			f.StartGateway()
			f.StartNode(0)
			return f.Stop
		}, recipient, []string{id}, "the worker of this node runs: stop it"},
	} {
		t.Run(name, func(t *testing.T) {
			defer test.before()()
			out := filepath.Join(t.TempDir(), "share.exit")
			args := []string{"export-share", "--config", f.config(0), "--recipient", test.recipient, "-o", out, "--yes"}
			for i, k := range test.keys {
				if i > 0 { // another flag, and its value
					args = append(args, k)
					continue
				}
				args = append(args, "--keys", k)
			}
			stdout, _, err := call(t, "", args...)
			if err == nil || stdout != "" || !strings.Contains(err.Error(), test.says) {
				t.Errorf("printed %q, %v; want %q", stdout, err, test.says)
			}
			if _, err := os.Lstat(out); err == nil {
				t.Error("a file was written")
			}
		})
	}
	if records := f.exports(t, 0); len(records) > 0 {
		t.Errorf("exported: %+v", records)
	}

	// A file that can't be written: the log has it all the same, as it comes first.
	out := filepath.Join(t.TempDir(), "share.exit")
	must(t, "export-share", "--config", f.config(0), "--recipient", recipient, "-o", out, "--yes", "--keys", id)
	if _, _, err := call(t, "", "export-share", "--config", f.config(0), "--recipient", recipient, "--yes", "--keys", id,
		"-o", filepath.Join(out, "share.exit")); err == nil || !strings.Contains(err.Error(), "the audit log has the export") {
		t.Error(err)
	}
	if records := f.exports(t, 0); len(records) != 2 {
		t.Errorf("%d records", len(records))
	}
}

func keysFile(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestMayLeave: a key that not all nodes certified is nobody's.
func TestMayLeave(t *testing.T) {
	id := wire.KeyID{Batch: strings.Repeat("0", 32), Index: 1}
	whole := keystore.Key{Owner: "treasury", Complete: true, Share: secret.New(nil)}
	if err := mayLeave(&whole, id, nil); err != nil {
		t.Error(err)
	}
	part := whole
	part.Complete = false
	if err := mayLeave(&part, id, nil); err == nil || !strings.Contains(err.Error(), "not all nodes have certified it") {
		t.Error(err)
	}
}

// TestRanges: every number is in one text, and no text is too long.
func TestRanges(t *testing.T) {
	even := []int{}
	for i := range 500 {
		even = append(even, 2*i)
	}
	for _, test := range []struct {
		numbers []int
		want    string
	}{
		{[]int{7}, "7"}, {[]int{0, 1, 2, 3, 7, 9, 10}, "0-3, 7, 9-10"}, {[]int{998, 999}, "998-999"},
	} {
		if got := ranges(test.numbers, maxReason); len(got) != 1 || got[0] != test.want {
			t.Errorf("%d: %q", test.numbers, got)
		}
	}
	texts := ranges(even, maxReason)
	for _, text := range texts {
		if len(text) > maxReason {
			t.Errorf("%d bytes", len(text))
		}
	}
	if all := strings.Split(strings.Join(texts, ", "), ", "); len(all) != 500 || all[499] != "998" || len(texts) < 2 {
		t.Errorf("%d numbers in %d texts", len(all), len(texts))
	}
}
