package config

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const (
	keyA = "b6bfc3e940c92676e93a7eeb6726de7540a53eb135c21fbba130b9291958e097"
	keyB = "b2076653b4e69a06cf9d57df5eec3bddaff2fa369dbc0ab20dd0f1fa8ac71288"
	// identityKey is the base point of P-256.
	identityKey = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296" +
		"4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)

func gatewayEntry(name, key string) string {
	return fmt.Sprintf("[[gateway]]\nname = %q\npublic_key = %q\n", name, key)
}

func TestRevokedEntries(t *testing.T) {
	a, err := LoadAccess(write(t, "version = 1\n"+gatewayEntry("g", keyA)+`
[[revoked]]
node = 0
reason = "its machine was stolen"
[[revoked]]
identity = "`+identityKey+`"
[[revoked]]
session_key = "`+keyB+`"
[[revoked]]
gateway = "g"
`))
	if err != nil {
		t.Fatal(err)
	}
	r := a.revoked()
	if len(r.Nodes) != 1 || r.Nodes[0] != 0 || len(r.Identities) != 1 || len(r.SessionKeys) != 1 ||
		len(r.Gateways) != 1 || r.Gateways[0] != "g" {
		t.Errorf("%+v", r)
	}
	list, err := a.Wire()
	if err != nil {
		t.Fatal(err)
	}
	if err := list.CheckGateway("g", []byte(a.Gateways[0].PublicKey)); err == nil {
		t.Error("a gateway that is listed and revoked may speak")
	}
	if !list.RevokesKey([]byte(a.Revoked[2].SessionKey)) {
		t.Error("the session key is not revoked")
	}
}

// An entry that would revoke nobody, or that is of another version, is an error with
// its place: a revocation must not fail in silence.
func TestRevokedErrors(t *testing.T) {
	for text, want := range map[string]string{
		"[[revoked]]\nreason = \"x\"":                           "1: revoked[0]: names 0 of",
		"[[revoked]]\nnode = 1\ngateway = \"g\"":                "1: revoked[0]: names 2 of",
		"[[revoked]]\nnode = -1":                                "2: revoked[0].node: is -1",
		"[[revoked]]\nnode = 128":                               "2: revoked[0].node: is 128",
		"[[revoked]]\nnode = \"2\"":                             "2: revoked[0].node: ",
		"[[revoked]]\nidentity = \"04ab\"":                      "2: revoked[0].identity: is not a node's",
		"[[revoked]]\nidentity = \"\"":                          "2: revoked[0].identity: is not a node's",
		"[[revoked]]\nsession_key = \"\"":                       "2: ",
		"[[revoked]]\nsession_key = \"ab\"":                     "2: ",
		"[[revoked]]\ngateway = \"a b\"":                        "2: revoked[0].gateway: is",
		"[[revoked]]\nnodes = 1":                                "2: revoked[0].nodes: unknown key",
		"[revoked]\nnode = 1":                                   "1: revoked: is a value or a list of tables, not a table",
		"":                                                      "gateway: is missing, and so is everything else",
		"# half a list\nversion = 1":                            "gateway: is missing, and so is everything else",
		"version = 2\n[[revoked]]\nnode = 1":                    "1: version: is 2: this program reads",
		"version = 0":                                           "1: version: is 0: this program reads",
		"[[revoked]]\nnode = 1\n[[revoked]]\nsession_keys = []": "4: revoked[1].session_keys: unknown key",
	} {
		path := write(t, text+"\n")
		_, err := LoadAccess(path)
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), path+":", ""), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// reading is what a follower reported, a line each.
type reading struct {
	mu    sync.Mutex
	lines []string
}

func (r *reading) changed(a *Access, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.lines = append(r.lines, "error")
		return
	}
	r.lines = append(r.lines, fmt.Sprintf("%d gateways", len(a.Gateways)))
}

func (r *reading) want(t *testing.T, what string, lines ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if fmt.Sprint(r.lines) != fmt.Sprint(lines) {
		t.Fatalf("%s: %q, want %q", what, r.lines, lines)
	}
	r.lines = nil
}

// TestFollowAccess: a changed list is read once it stands still, a bad one is
// reported once, and what was good before needs no change to count again.
func TestFollowAccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "access.toml")
		put := func(text string) {
			t.Helper()
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		one, two := gatewayEntry("a", keyA), gatewayEntry("a", keyA)+gatewayEntry("b", keyB)
		put(one)
		var r reading
		ctx, cancel := context.WithCancel(t.Context())
		now, done := make(chan struct{}, 1), make(chan struct{})
		go func() { defer close(done); FollowAccess(ctx, path, now, r.changed) }()
		looks := func(n int) { time.Sleep(time.Duration(n) * lookEvery); synctest.Wait() }
		looks(3)
		r.want(t, "at first", "1 gateways")
		put(two)
		looks(1)
		r.want(t, "just changed: somebody may still write it")
		put("") // truncated, as an editor does before it writes
		looks(1)
		put(two + "# more")
		looks(1)
		r.want(t, "still changing")
		looks(2)
		r.want(t, "stands still", "2 gateways")
		looks(5)
		r.want(t, "unchanged")
		put("gateway = 1")
		looks(5)
		r.want(t, "bad", "error")
		now <- struct{}{}
		synctest.Wait()
		r.want(t, "bad, asked for")
		put(one)
		now <- struct{}{}
		synctest.Wait()
		r.want(t, "asked for", "1 gateways")
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
		looks(4)
		r.want(t, "gone", "error")
		if err := os.Rename(path+".away", path); err != nil {
			t.Fatal(err)
		}
		looks(3)
		r.want(t, "back", "1 gateways")
		// Whatever a deployment does with times, another list is another list.
		for i, text := range []string{one, gatewayEntry("b", keyA)} {
			put(text)
			if err := os.Chtimes(path, time.Time{}, time.Unix(0, 0)); err != nil {
				t.Fatal(err)
			}
			looks(3)
			r.want(t, "other times", [][]string{nil, {"1 gateways"}}[i]...)
		}
		put("") // and stays so: its writer had no room on the disk
		looks(4)
		r.want(t, "emptied", "error")
		cancel()
		<-done
	})
}
