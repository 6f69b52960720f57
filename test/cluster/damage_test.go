package cluster_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// keysFolder is where a server's copy of KEYS is.
const keysFolder = "jetstream/jetstream/FLEET/streams/FROST_MAIN_KEYS"

// flip changes one bit in the newest file of messages of a stream. at finds the byte.
func flip(t *testing.T, folder string, at func(block []byte) int) {
	t.Helper()
	blocks, err := filepath.Glob(filepath.Join(folder, "msgs/*.blk"))
	if err != nil || len(blocks) == 0 {
		t.Fatalf("%s has no messages: %v", folder, err)
	}
	path := blocks[len(blocks)-1]
	block, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block[at(block)] ^= 1
	if err := os.WriteFile(path, block, 0o600); err != nil {
		t.Fatal(err)
	}
}

// record is where a message of a block begins: with its length, whose first bit has
// another meaning, and its sequence.
func record(block []byte, i int) (at int) {
	for range i {
		at += int(binary.LittleEndian.Uint32(block[at:]) &^ (1 << 31))
	}
	return at
}

// end has a server write what it knows and end, so that its next start trusts its index
// and searches the files only for what does not fit.
func (r *recovery) end(server string) {
	r.t.Helper()
	running(r.t, r.servers, server).stop(syscall.SIGTERM)
}

// TestDamagedReplica: a bit of one server's copy of KEYS flips in a message's sequence,
// and the server searches for the messages between for ever when it starts.
func TestDamagedReplica(t *testing.T) {
	r := rehearse(t)
	r.end("nats-2")
	folder := filepath.Join(r.dir, "nats/nats-2", keysFolder)
	flip(t, folder, func(block []byte) int { return record(block, 5) + 4 + 4 }) // 2^32 added
	r.follow("(cd nats/nats-2 && nats-server -c server.conf)")
	running(t, r.servers, "nats-2").awaits("Starting restore for stream 'FLEET > FROST_MAIN_KEYS'")
	r.awaitReplicas(2)
	r.signWithAll("keys.jsonl", "solana.jsonl")
	r.section("### A stream's file is damaged")
	running(t, r.servers, "nats-2").awaits("Catchup for stream 'FLEET > FROST_MAIN_KEYS' complete")
	have, want := blockBytes(t, folder), blockBytes(t, filepath.Join(r.dir, "nats/nats-3", keysFolder))
	if have != want {
		t.Errorf("the new copy of KEYS has %d bytes, the old one %d", have, want)
	}
	running(t, r.servers, "nats-3").kill() // the new copy is one of a majority
	r.signWithAll("keys.jsonl", "solana.jsonl")
}

// awaitReplicas waits until the gateway counts so many good copies of KEYS.
func (r *recovery) awaitReplicas(n int) {
	r.t.Helper()
	line := fmt.Sprintf("frostfleet_bus_stream_replicas_current{stream=\"KEYS\"} %d", n)
	await(r.t, "replicas of KEYS", func() error {
		if text := r.run("curl -s http://127.0.0.1:4000/metrics"); !strings.Contains(text, line) {
			return errors.New("the metrics do not have " + line)
		}
		return nil
	})
}

// blockBytes is how much a stream's folder has of messages.
func blockBytes(t *testing.T, folder string) (n int64) {
	t.Helper()
	blocks, err := filepath.Glob(filepath.Join(folder, "msgs/*.blk"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range blocks {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		n += info.Size()
	}
	return n
}

// TestSilentDamage: bits of one server's copy of KEYS flip, and it does not notice. What
// that copy lacks is read from the leader.
func TestSilentDamage(t *testing.T) {
	r := rehearse(t)
	r.end("nats-2")
	r.awaitReplicas(2)
	flip(t, filepath.Join(r.dir, "nats/nats-2", keysFolder),
		func(block []byte) int { return record(block, 2) + 200 }) // within a message
	r.follow("(cd nats/nats-2 && nats-server -c server.conf)")
	r.awaitReplicas(3)
	out := r.run("frostctl register export keys.register --manifest manifest.json --credentials nats/administrator.nk " +
		"--tls-ca ca.crt --url tls://127.0.0.1:4223") // which asks its own copy first
	if !strings.Contains(out, "2 batches with 20 keys") {
		t.Error(out)
	}
	running(t, r.programs, "node1/").stop(syscall.SIGTERM)
	r.remove("node1/data")
	r.follow("frost-worker run --config node1/node.toml")
	r.signWithout("node0")
}

// TestServersLost: one of three machines with a NATS server is lost, then two at once.
func TestServersLost(t *testing.T) {
	r := rehearse(t)
	r.section("### Back up")
	r.loseServers(2, "nats-2")
	r.signWithAll("keys.jsonl")
	r.section("#### One of three")
	r.loseServers(0, "nats-2", "nats-3")
	r.section("#### Two of three")
	r.loseServers(2, "nats-1") // the one that was there from the beginning
	r.signWithAll("keys.jsonl", "solana.jsonl")
	out := r.run("frostctl register export all.register --manifest manifest.json $NATS")
	if !strings.Contains(out, "2 batches with 20 keys") {
		t.Error(out)
	}
}

// loseServers ends servers for good and waits until the gateway has noticed that so many
// good copies are left; none counts without a leader.
func (r *recovery) loseServers(left int, names ...string) {
	r.t.Helper()
	for _, name := range names {
		running(r.t, r.servers, name).kill()
		r.remove("nats/" + name)
	}
	r.awaitReplicas(left)
}

// TestDamagedEmbedded: the only copy of KEYS is damaged, and the gateway with the server
// never starts. It says so, ends when it is told to, and a node's disk has the register.
func TestDamagedEmbedded(t *testing.T) {
	r := unstarted(t)
	r.run(fmt.Sprintf("frostctl fleet init fleet --name main --bus-port %d --server-port %d", r.nats, r.http))
	r.dir = filepath.Join(r.dir, "fleet")
	start := commands(section(t, r.page, "### Rehearse"))
	workers := slices.IndexFunc(start, func(l string) bool { return strings.HasPrefix(l, "frost-worker ") })
	for _, line := range start[workers:] {
		r.follow(line)
	}
	gateway := running(t, r.programs, "gateway/")
	gateway.stop(syscall.SIGTERM)
	flip(t, filepath.Join(r.dir, "gateway/bus/jetstream/$G/streams/FROST_MAIN_KEYS"),
		func(block []byte) int { return record(block, 2) + 4 + 4 })
	r.follow(gateway.line)
	running(t, r.programs, "gateway/").awaits("embedded NATS server is still starting")
	r.byHand["# end the gateways and the workers"] = r.endAll
	r.byHand["# end frostctl bus serve"] = func() { running(t, r.servers, "bus serve").stop(syscall.SIGTERM) }
	r.section("#### The embedded server")
	r.section("#### Start the fleet again")
	r.signWithAll("keys.jsonl")
}
