package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/natsserver"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// TestExportDamaged: a bit of the only copy of KEYS flips in one entry's deal. No command
// takes what is left for the register: export saves the rest, names the sequence and the
// mend, and has its exit code; bus check says so too where the server knows. What a file
// has is put back.
func TestExportDamaged(t *testing.T) {
	for name, c := range map[string]struct {
		notices, last bool // it drops what comes after it in the block, too
		says          string
	}{
		"the server does not notice":        {false, false, "1 messages were at no copy that answered, of sequences "},
		"of the last, without its noticing": {false, true, "1 messages were at no copy that answered, of sequences "},
		"the server drops it":               {true, false, "1 entries lack deals, and nobody writes them"},
	} {
		t.Run(name, func(t *testing.T) {
			f := wiretest.New(t, 2, 3, nil)
			manifest, store := manifestFile(t, f), t.TempDir()
			server, b := startRegister(t, f, store)
			if err := b.Apply(t.Context()); err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				e := testEntry(t, f, i)
				if err := register.Store(t.Context(), b, f.Manifest, e, nil); err != nil {
					t.Fatal(err)
				}
			}
			run := func(want int, says string, args ...string) {
				t.Helper()
				stdout, stderr, code := call(t, "", append(args, "--url", server.URL())...)
				if code != want || !strings.Contains(stdout+stderr, says) {
					t.Errorf("%v: exit code %d, %s%s", args, code, stdout, stderr)
				}
			}
			dir := t.TempDir()
			good, rest, all := filepath.Join(dir, "good"), filepath.Join(dir, "rest"), filepath.Join(dir, "all")
			run(0, "saved: 3 batches", "register", "export", good, "--manifest", manifest)

			stored, err := b.Slots(t.Context(), bus.Keys, "entry.*.0.deal.>")
			if err != nil {
				t.Fatal(err)
			}
			hit := stored[2]
			if c.last {
				hit = stored[len(stored)-1]
			}
			damage(t, server, store, hit.Data)
			if c.notices { // its index is gone, so it reads the block
				if err := os.Remove(filepath.Join(keysFolder(t, store), "index.db")); err != nil {
					t.Fatal(err)
				}
			}
			server, b = startRegister(t, f, store)
			if err := b.Apply(t.Context()); err != nil {
				t.Fatal(err)
			}
			says := c.says
			if strings.HasSuffix(says, " ") {
				says += fmt.Sprint(hit.Seq)
			}
			run(exitUnproven, says, "register", "export", rest, "--manifest", manifest)
			if data, err := os.ReadFile(rest); err != nil || len(data) == 0 {
				t.Errorf("what was whole was not saved: %v", err)
			}
			run(0, "in KEYS: 3 batches", "register", "import", good, "--manifest", manifest)
			want := exitUnproven // the gap stays until KEYS is made anew
			if c.notices {
				want = 0
			}
			run(want, "saved: 3 batches", "register", "export", all, "--manifest", manifest)
			run(0, "compacted: 3 batches", "register", "compact", filepath.Join(dir, "compacting"), "--manifest", manifest)
			run(0, "saved: 3 batches", "register", "export", filepath.Join(dir, "mended"), "--manifest", manifest)
			run(0, "as declared", "bus", "check", "--fleet", f.Manifest.Fleet, "--nodes", "3")
		})
	}
}

// keysFolder is where a server has the messages of KEYS.
func keysFolder(t *testing.T, store string) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(store, "jetstream/$G/streams/*_KEYS/msgs"))
	if err != nil || len(all) != 1 {
		t.Fatalf("%v, %v", all, err)
	}
	return all[0]
}

// testEntry is the i-th of a fleet's entries.
func testEntry(t *testing.T, f *wiretest.Fleet, i int) *register.Entry {
	t.Helper()
	h := wire.BatchHeader{Client: "alice", Digest: [32]byte{byte(i)}, Suite: 1, K: 2}
	var deals [][]byte
	for node := range 3 {
		deals = append(deals, append(f.Deal(h, 50), byte(node)))
	}
	e, err := register.NewEntry(f.Manifest, f.Entry(h, deals), deals)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestBusCheckDamaged: messages that the leader's copy lacks, as its server knows, are no
// state that KEYS may be in.
func TestBusCheckDamaged(t *testing.T) {
	f, manifest, server, b := registerFleet(t)
	if err := b.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	js, e := b.Conn().JS, testEntry(t, f, 0)
	stream, err := js.Stream(t.Context(), "FROST_TEST_KEYS")
	if err != nil {
		t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	config.DenyDelete = false // so that the test can do it
	if err := js.DeleteStream(t.Context(), config.Name); err != nil {
		t.Fatal(err)
	}
	if stream, err = js.CreateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	if err := register.Store(t.Context(), b, f.Manifest, e, nil); err != nil {
		t.Fatal(err)
	}
	check := []string{"bus", "check", "--fleet", f.Manifest.Fleet, "--nodes", "3", "--url", server.URL()}
	if stdout, stderr, _ := call(t, "", check...); strings.Contains(stdout+stderr, "damaged") {
		t.Errorf("before the damage: %s%s", stdout, stderr)
	}
	if err := stream.DeleteMsg(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := call(t, "", check...)
	if code != exitUnproven || !strings.Contains(stderr, "lacks 1 messages") || !strings.Contains(stderr, "register compact") {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	stdout, stderr, code = call(t, "", "register", "export", filepath.Join(t.TempDir(), "rest"), "--manifest", manifest,
		"--url", server.URL())
	if code != exitUnproven || !strings.Contains(stderr, "of sequences 2: ") {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
}

// damage ends a server and flips a bit in the message of KEYS that has these data.
func damage(t *testing.T, server *natsserver.Server, store string, data []byte) {
	t.Helper()
	server.Shutdown()
	path := filepath.Join(keysFolder(t, store), "1.blk")
	block, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(block, data)
	if at < 0 {
		t.Fatal("the message is not there")
	}
	block[at+len(data)/2] ^= 1
	if err := os.WriteFile(path, block, 0o600); err != nil {
		t.Fatal(err)
	}
}
