package cluster_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestKeysIsGone: all servers' stores are lost, and all nodes' disks but one.
func TestKeysIsGone(t *testing.T) {
	r := rehearse(t)
	r.killServers()
	r.endPrograms()
	r.remove("nats/nats-*/jetstream", "node0/data", "node2/data")
	r.section("### KEYS is gone")
	r.section("#### Start the fleet again")
	r.signWithAll("keys.jsonl", "solana.jsonl")
	r.signWithout("node1") // those that had lost everything
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

// TestOlderStores: the disks of all servers go back to what they were before some keys.
func TestOlderStores(t *testing.T) {
	r := rehearse(t)
	for _, s := range r.servers {
		s.stop(syscall.SIGTERM)
	}
	for _, s := range []string{"1", "2", "3"} {
		from, to := filepath.Join(r.dir, "nats/nats-"+s+"/jetstream"), filepath.Join(r.dir, "snapshots", s)
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	r.startServers()
	r.run("frostctl keygen --config client.toml --chain bitcoin --count 10 --out newer.jsonl")
	r.signWithAll("newer.jsonl")
	r.killServers()
	for _, s := range []string{"1", "2", "3"} {
		r.remove("nats/nats-" + s + "/jetstream")
		r.rename("snapshots/"+s, "nats/nats-"+s+"/jetstream")
	}
	r.startServers()
	r.byHand["# end the gateways and the workers"] = r.endAll
	r.section("#### The servers' disks are older than the fleet")
	r.section("#### Start the fleet again")
	r.signWithAll("keys.jsonl", "solana.jsonl", "newer.jsonl")
	r.signWithout("node2")
}

func (r *recovery) startServers() {
	for _, s := range []string{"1", "2", "3"} {
		r.follow("(cd nats/nats-" + s + " && nats-server -c server.conf)")
	}
}
