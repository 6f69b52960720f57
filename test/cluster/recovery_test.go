package cluster_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// recovery follows docs/operations.md with the fleet of its rehearsal.
type recovery struct {
	follower
	page string
}

// unstarted is about to begin with the page.
func unstarted(t *testing.T) *recovery {
	t.Helper()
	r := &recovery{follower: follower{operator: newOperator(t)}, page: page(t, "operations.md")}
	r.byHand = map[string]func(){"# end the gateways and the workers": r.endPrograms}
	return r
}

// rehearse starts the page's fleet, with keys of both chains.
func rehearse(t *testing.T) *recovery {
	t.Helper()
	r := unstarted(t)
	r.section("### Rehearse")
	r.run("frostctl keygen --config client.toml --chain solana --count 10 --out solana.jsonl")
	return r
}

// section does what the page says under a heading.
func (r *recovery) section(heading string) {
	r.t.Helper()
	r.followSection(r.page, heading)
}

// endPrograms is Ctrl-C in every terminal of a worker or gateway.
func (r *recovery) endPrograms() {
	r.t.Helper()
	for _, p := range r.programs {
		if p.runs() {
			p.stop(syscall.SIGTERM)
		}
	}
}

// killServers is a power cut at all servers.
func (r *recovery) killServers() {
	for _, s := range r.servers {
		s.kill()
	}
}

// remove is the loss of files.
func (r *recovery) remove(paths ...string) {
	r.t.Helper()
	for _, path := range paths {
		all, err := filepath.Glob(filepath.Join(r.dir, path))
		if err != nil || len(all) == 0 {
			r.t.Fatalf("there is no %s: %v", path, err)
		}
		for _, path := range all {
			if err := os.RemoveAll(path); err != nil {
				r.t.Fatal(err)
			}
		}
	}
}

// signWithAll has the fleet sign with every key of a file of frostctl keygen, which
// verifies the signatures under the keys that are in the file.
func (r *recovery) signWithAll(files ...string) {
	r.t.Helper()
	for _, file := range files {
		ids := r.keyIDs(file)
		var items strings.Builder
		for _, id := range ids {
			fmt.Fprintf(&items, "{\"key\":%q,\"message\":%q}\n", id, strings.Repeat("5a", 32))
		}
		if err := os.WriteFile(filepath.Join(r.dir, "items.jsonl"), []byte(items.String()), 0o600); err != nil {
			r.t.Fatal(err)
		}
		signed := r.run("frostctl sign --config client.toml --file items.jsonl --keys " + file)
		if got := strings.Count(signed, "\n"); got != len(ids) {
			r.t.Errorf("%d signatures with the %d keys of %s", got, len(ids), file)
		}
	}
}

// keyIDs are those of a file of frostctl keygen.
func (r *recovery) keyIDs(file string) (ids []string) {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, file))
	if err != nil {
		r.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var proof struct {
			Result struct {
				Keys []struct {
					ID string `json:"id"`
				} `json:"keys"`
			} `json:"result"`
		}
		if err := json.Unmarshal([]byte(line), &proof); err != nil {
			r.t.Fatal(err)
		}
		for _, k := range proof.Result.Keys {
			ids = append(ids, k.ID)
		}
	}
	if len(ids) == 0 {
		r.t.Fatalf("%s has no keys: %s", file, text)
	}
	return ids
}

// TestKeysIsGone: all servers' stores are lost, and all nodes' disks but one.
func TestKeysIsGone(t *testing.T) {
	r := rehearse(t)
	r.killServers()
	r.remove("nats/nats-*/jetstream", "node0/data", "node2/data")
	r.section("### KEYS is gone")
	r.signWithAll("keys.jsonl", "solana.jsonl")
	r.signWithout("node1") // those that had lost everything
}

// lose is the loss of a program's machine, whose files are in a folder. What was on it
// is in lost/ afterwards, for those who find its disk.
func (r *recovery) lose(folder string) {
	r.t.Helper()
	running(r.t, r.programs, folder+"/").kill()
	_ = os.RemoveAll(filepath.Join(r.dir, "lost"))
	r.rename(folder, "lost")
}

func (r *recovery) rename(from, to string) {
	r.t.Helper()
	if err := os.Rename(filepath.Join(r.dir, from), filepath.Join(r.dir, to)); err != nil {
		r.t.Fatal(err)
	}
}

// signWithout has the fleet of two of three sign while a node is away: the others have
// to.
func (r *recovery) signWithout(without string) {
	r.t.Helper()
	node := running(r.t, r.programs, without+"/")
	node.stop(syscall.SIGTERM)
	r.signWithAll("keys.jsonl", "solana.jsonl")
	r.programs = append(r.programs, r.open(node.line))
}

// TestRestoreANode: a worker's machine is lost; then its successor is, with the disk.
func TestRestoreANode(t *testing.T) {
	r := rehearse(t)
	r.section("### Back up")
	r.lose("node1")
	r.rename("lost/data", "saved")
	r.section("#### Its disk is left")
	r.section("#### Start it again")
	r.signWithout("node0")
	r.lose("node1")
	r.section("#### Its disk is lost")
	r.section("#### Start it again")
	running(t, r.programs, "node1/").awaits("recovered")
	r.signWithout("node2")
	r.run("frostctl keygen --config client.toml --chain bitcoin --count 1")
}

// refuses wants every key of a file to be unknown.
func (r *recovery) refuses(file string) {
	r.t.Helper()
	for _, id := range r.keyIDs(file)[:1] {
		out, err := r.command(fmt.Sprintf("frostctl sign --config client.toml --keys %s --key %s --message %s",
			file, id, strings.Repeat("5a", 32))).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "unknown_key") {
			r.t.Errorf("%s of %s: %v, %s", id, file, err, out)
		}
	}
}

// TestRestoreABackup: KEYS is lost at all servers, and all nodes' disks but one that
// turns up later. The backup is older than some keys.
func TestRestoreABackup(t *testing.T) {
	r := rehearse(t)
	r.section("### Back up")
	r.run("frostctl keygen --config client.toml --chain bitcoin --count 10 --out newer.jsonl")
	r.signWithAll("newer.jsonl")
	r.killServers()
	r.endPrograms()
	r.rename("node2/data", "saved")
	r.remove("nats/nats-*/jetstream", "node0/data", "node1/data")
	r.section("### Restore a backup")
	r.section("#### Start the fleet again")
	r.signWithAll("keys.jsonl", "solana.jsonl")
	r.refuses("newer.jsonl")
	node := running(t, r.programs, "node2/")
	node.stop(syscall.SIGTERM)
	r.remove("node2/data")
	r.rename("saved", "node2/data")
	r.section("#### Keys newer than the backup")
	r.follow(node.line)
	r.signWithAll("keys.jsonl", "solana.jsonl", "newer.jsonl")
	node = running(t, r.programs, "node2/")
	node.stop(syscall.SIGTERM) // the others have their shares of all keys
	r.signWithAll("newer.jsonl")
}

// TestReplaceAGateway: the only gateway's machine is lost, twice, while a job is there.
func TestReplaceAGateway(t *testing.T) {
	r := rehearse(t)
	r.section("### Back up")
	for _, heading := range []string{"#### With its key", "#### With a new key"} {
		r.lose("gateway")
		signing := r.open("frostctl sign $PROBE")
		r.section(heading)
		if err := <-signing.ended; err != nil {
			t.Errorf("the job that waited: %v, %s", err, signing.said())
		}
		signing.ended <- nil
		r.signWithAll("keys.jsonl", "solana.jsonl")
	}
	for _, name := range []string{"node0/", "node1/", "node2/"} {
		running(t, r.programs, name).awaits("gateway gateway1 was added")
	}
	r.run("frostctl keygen --config client.toml --chain bitcoin --count 1")
}

// TestPromoteAMirror: all three servers are lost, and the fleet goes on with a mirror of
// KEYS on a fourth one, whose user could read KEYS and nothing else.
func TestPromoteAMirror(t *testing.T) {
	r := unstarted(t)
	lines := commands(section(t, r.page, "### Keep a mirror"))
	files := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "(") })
	start := commands(section(t, r.page, "### Rehearse"))
	for _, line := range slices.Concat(start[:2], lines[:files], start[2:], lines[files:]) {
		r.follow(line)
	}
	r.run("frostctl keygen --config client.toml --chain solana --count 10 --out solana.jsonl")
	await(t, "the mirror", func() error {
		out := r.run("rm -f m && frostctl register export m --manifest manifest.json $STANDBY")
		if !strings.Contains(out, "2 batches with 20 keys") {
			return errors.New(out)
		}
		return nil
	})
	for _, s := range r.servers[:3] {
		s.kill()
	}
	r.remove("nats/nats-*")
	r.section("### Promote a mirror")
	r.section("#### Start the fleet again")
	r.signWithAll("keys.jsonl", "solana.jsonl")
	r.run("frostctl keygen --config client.toml --chain bitcoin --count 1")
}
