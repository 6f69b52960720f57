package cluster_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/frostfleet/frostfleet/test/upgrade"
)

// previous is the folder of the previous release's programs, once they are built.
var previous string

// TestUpgradePage: the fleet of the rehearsal is set up and run by the previous release, and
// the page makes it one of this release. test/upgrade does it under load.
func TestUpgradePage(t *testing.T) {
	var err error
	if previous, err = upgrade.Previous(); err != nil {
		t.Fatal(err)
	}
	r := unstarted(t)
	here := r.bin
	r.bin = t.TempDir()
	for _, name := range []string{"frostctl", "frost-worker", "frost-gateway"} {
		install(t, filepath.Join(previous, name), r.bin)
		r.byHand["# install the new "+name] = func() { install(t, filepath.Join(here, name), r.bin) }
	}
	for _, name := range []string{"nats-server", "nk"} {
		install(t, filepath.Join(here, name), r.bin)
	}
	r.restarts()
	r.section("### Rehearse")
	for i := range r.programs {
		if version := r.version(i); !strings.HasPrefix(version, upgrade.PreviousBuild) {
			t.Fatalf("program %d is %s before the upgrade", i, version)
		}
	}
	r.run("frostctl keygen --config client.toml --chain solana --count 10 --out solana.jsonl")
	r.section("## Upgrade")
	for i := range 4 {
		if version := r.version(i); strings.HasPrefix(version, upgrade.PreviousBuild) {
			t.Errorf("program %d is %s after the upgrade", i, version)
		}
	}
	r.signWithAll("keys.jsonl", "solana.jsonl")
}

// install puts a program into a folder in one step, as a link.
func install(t *testing.T, program, folder string) {
	t.Helper()
	at := filepath.Join(folder, filepath.Base(program))
	if err := os.Symlink(program, at+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(at+".new", at); err != nil {
		t.Fatal(err)
	}
}

// restarts are the restarts of one program that pages ask for.
func (r *recovery) restarts() {
	for name, folder := range map[string]string{
		"gateway0": "gateway/", "node0": "node0/", "node1": "node1/", "node2": "node2/",
	} {
		r.byHand["# restart "+name] = func() {
			p := running(r.t, r.programs, folder)
			p.stop(syscall.SIGTERM)
			r.programs = append(r.programs, r.open(p.line))
		}
	}
}

// version is that of a program that runs: 0 is the gateway, then come the nodes.
func (r *recovery) version(i int) string {
	r.t.Helper()
	info := r.run(fmt.Sprintf("curl -s http://127.0.0.1:%d/metrics | grep ^frostfleet_info", r.http+i))
	found := regexp.MustCompile(`version="([^"]*)"`).FindStringSubmatch(strings.ReplaceAll(info, "goversion=", ""))
	if found == nil {
		r.t.Fatalf("no version in %s", info)
	}
	return found[1]
}

// waits are the waits for what all workers and gateways log.
func (r *recovery) waits(said ...string) {
	for _, text := range said {
		r.byHand[fmt.Sprintf("# wait until the log of every worker and gateway says %q", text)] = func() {
			for _, p := range r.programs {
				if p.runs() {
					p.awaits(text)
				}
			}
		}
	}
}

// TestRotateKeys: a client's key and then a gateway's are replaced as the page says. While both
// count, jobs under either are done and are the client's; after that the old one signs nothing.
func TestRotateKeys(t *testing.T) {
	r := rehearse(t)
	r.restarts()
	r.waits("client client0 has one more key", "client client0 has one key less",
		"gateway gateway0 has one more key", "gateway gateway0 has one key less")
	r.run("cp client.key client.old && sed s/client.key/client.old/ client.toml > old.toml && chmod 600 client.old")
	old := "frostctl sign " + strings.Replace(r.value("PROBE"), "client.toml", "old.toml", 1)
	lines := commands(section(t, r.page, "### A client's key"))
	for i, line := range lines {
		r.follow(line)
		if line == "frostctl check --config client.toml" && !strings.Contains(r.run(line), "client client0 has two keys, ") {
			t.Errorf("frostctl check does not name the keys:\n%s", r.run(line))
		}
		if line == "frostctl sign $PROBE" && i < len(lines)-1 {
			r.run(old) // a program of the client's that was not restarted yet, with a key that was made before
			r.run("frostctl keygen --config old.toml --chain bitcoin --count 1 --out overlap.jsonl")
		}
	}
	r.signWithAll("keys.jsonl", "solana.jsonl", "overlap.jsonl") // all are the client's, whichever key asked for them
	if out := r.refused(old); !strings.Contains(out, "is listed with public key") {
		t.Errorf("a client with a key that its list does not have: %s", out)
	}
	// Who stole the old key has a list of his own, without that check.
	r.run(`sed -n '1,/^\[\[client\]\]/p' access.toml | sed '$d' > thief.list`)
	r.run("sed s/access.toml/thief.list/ old.toml > thief.toml")
	if out := r.refused(strings.Replace(old, "old.toml", "thief.toml", 1)); !strings.Contains(out, "bad_signature") {
		t.Errorf("the old key: %s", out)
	}
	r.section("### A gateway's key")
	r.signWithAll("keys.jsonl", "solana.jsonl", "overlap.jsonl")
	r.run("frostctl keygen --config client.toml --chain bitcoin --count 1")
}

// refused runs a command that must fail, and gives what it said.
func (r *recovery) refused(line string) string {
	r.t.Helper()
	out, err := r.command(line).CombinedOutput()
	if err == nil {
		r.t.Errorf("%s succeeds: %s", line, out)
	}
	return string(out)
}

// value of a variable that the page has set.
func (r *recovery) value(name string) string {
	r.t.Helper()
	for i := len(r.env) - 1; i >= 0; i-- {
		if value, found := strings.CutPrefix(r.env[i], name+"="); found {
			return value
		}
	}
	r.t.Fatalf("%s is not set", name)
	return ""
}
