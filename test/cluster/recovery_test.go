package cluster_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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

// endAll is endPrograms where some may be ending, or can't start: how they end says
// nothing.
func (r *recovery) endAll() {
	for _, p := range r.programs {
		if p.runs() {
			_ = p.cmd.Process.Signal(syscall.SIGTERM)
			p.ended <- <-p.ended
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

// TestEveryProcedureIsFollowed: no heading of the page has commands that no test runs.
func TestEveryProcedureIsFollowed(t *testing.T) {
	_, part, _ := strings.Cut(page(t, "operations.md"), "\n## When something is lost\n")
	part, _, _ = strings.Cut(part, "\n## Storage on NATS\n")
	var tests strings.Builder
	for _, name := range []string{"recovery_test.go", "procedures_test.go", "damage_test.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(text)
	}
	count := 0
	for _, heading := range regexp.MustCompile(`(?m)^###+ .+$`).FindAllString(outsideBlocks(part), -1) {
		if len(commands(section(t, part, heading))) == 0 {
			continue
		}
		if count++; !strings.Contains(tests.String(), `"`+heading+`"`) {
			t.Errorf("no test follows %q", heading)
		}
	}
	if count < 15 {
		t.Errorf("%d headings with commands: the search is broken", count)
	}
}
