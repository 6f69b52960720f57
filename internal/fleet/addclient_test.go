package fleet

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nkeys"

	"github.com/frostfleet/frostfleet/internal/config"
)

func both() []string { return []string{"keygen", "sign"} }

// TestAddClient: a new client's directory is complete, and every server has its
// account and user.
func TestAddClient(t *testing.T) {
	dir, _ := clustered(t)
	clientDir, err := AddClient(dir, NewClient{Party: Party{Name: "treasury", Kinds: both()}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.LoadClient(filepath.Join(clientDir, ClientFile))
	if err != nil || c.Client.Name != "treasury" || strings.Count(c.Bus.URL, "tls://") != 3 {
		t.Fatalf("%+v, %v", c, err)
	}
	for _, file := range []string{filepath.Join(dir, AccessFile), c.Client.Access} {
		access, err := config.LoadAccess(file)
		if err != nil || len(access.Clients) != 2 || access.Clients[1].Name != "treasury" {
			t.Errorf("%s: %+v, %v", file, access, err)
		}
	}
	user := publicOf(t, c.Bus.Credentials)
	for i := range 3 {
		found := false
		for _, u := range serverOptions(t, dir, i).Nkeys {
			found = found || u.Nkey == user && u.Account.Name == "CLIENT_treasury"
		}
		if !found {
			t.Errorf("server %d does not have the user", i)
		}
	}
	modes(t, dir)
}

// TestAddClientWithKeys: a client that has keys gets a directory without any.
func TestAddClientWithKeys(t *testing.T) {
	dir, _ := clustered(t)
	public, err := makeKey(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	user, err := newSeed(filepath.Join(t.TempDir(), "seed"))
	if err != nil {
		t.Fatal(err)
	}
	clientDir, err := AddClient(dir, NewClient{Party{Name: "deposits", Kinds: []string{"keygen"}}, config.PublicKey(public), user})
	if err != nil {
		t.Fatal(err)
	}
	for path := range snapshot(t, clientDir) {
		if name := filepath.Base(path); name == clientKey || name == clientSeed {
			t.Errorf("made %s", name)
		}
	}
	access, err := config.LoadAccess(filepath.Join(dir, AccessFile))
	if err != nil || access.Clients[1].PublicKey.String() != config.PublicKey(public).String() || len(access.Clients[1].Kinds) != 1 {
		t.Errorf("%+v, %v", access, err)
	}
	if text := read(t, filepath.Join(dir, ServerDir(2), clientsConf)); !strings.Contains(text, user) {
		t.Errorf("server 3 lacks %s:\n%s", user, text)
	}
}

// TestAddClientRefuses: what is refused changes nothing.
func TestAddClientRefuses(t *testing.T) {
	dir, o := clustered(t)
	access, err := config.LoadAccess(filepath.Join(dir, AccessFile))
	if err != nil {
		t.Fatal(err)
	}
	account, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := account.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	taken := access.Clients[0].PublicKey
	user := publicOf(t, filepath.Join(dir, clientSeed))
	free, err := newSeed(filepath.Join(t.TempDir(), "seed"))
	if err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, dir)
	for name, c := range map[string]struct {
		client NewClient
		want   string
	}{
		"there already":  {NewClient{Party: Party{Name: o.Client, Kinds: both()}}, "already"},
		"a bad name":     {NewClient{Party: Party{Name: `a"`, Kinds: both()}}, "client"},
		"kinds":          {NewClient{Party: Party{Name: "a", Kinds: []string{"mine"}}}, "kind"},
		"one key of two": {NewClient{Party: Party{Name: "a", Kinds: both()}, NKey: user}, "neither"},
		"another's key":  {NewClient{Party{Name: "a", Kinds: both()}, taken, free}, "is the key of"},
		"a path":         {NewClient{Party: Party{Name: "../a", Kinds: both()}}, "client"},
		"a wildcard":     {NewClient{Party: Party{Name: "*", Kinds: both()}}, "client"},
		"another's nkey": {NewClient{Party{Name: "a", Kinds: both()}, make(config.PublicKey, 32), user}, "somebody else"},
		"a node's nkey": {NewClient{Party{Name: "a", Kinds: both()}, make(config.PublicKey, 32),
			publicOf(t, filepath.Join(dir, filepath.Dir(NodeFile(1)), busSeed))}, "somebody else"},
		"an account's":    {NewClient{Party{Name: "a", Kinds: both()}, make(config.PublicKey, 32), wrong}, "public nkey of a user"},
		"not an nkey":     {NewClient{Party{Name: "a", Kinds: both()}, make(config.PublicKey, 32), "U }"}, "public nkey of a user"},
		"seed, not a key": {NewClient{Party{Name: "a", Kinds: both()}, make(config.PublicKey, 32), "SUAM"}, "public nkey of a user"},
	} {
		if _, err := AddClient(dir, c.client); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if !maps.Equal(before, snapshot(t, dir)) {
			t.Fatalf("%s: files changed", name)
		}
	}
	plain := filepath.Join(t.TempDir(), "plain")
	if _, err := Init(t.Context(), plain, options()); err != nil {
		t.Fatal(err)
	}
	if _, err := AddClient(plain, NewClient{Party: Party{Name: "a", Kinds: both()}}); err == nil || !strings.Contains(err.Error(), "--cluster 3") {
		t.Errorf("without servers: %v", err)
	}
	if _, err := ReloadCommands(plain); err == nil {
		t.Error("reload commands for no servers")
	}
}

// TestAddClientsAtOnce: none of the clients that are added at the same time is lost,
// and every server reads the files.
func TestAddClientsAtOnce(t *testing.T) {
	dir, _ := clustered(t)
	const clients = 8
	before := len(serverOptions(t, dir, 0).Nkeys)
	var added sync.WaitGroup
	for i := range clients {
		added.Go(func() {
			if _, err := AddClient(dir, NewClient{Party: Party{Name: fmt.Sprint("c", i), Kinds: both()}}); err != nil {
				t.Error(err)
			}
		})
	}
	added.Wait()
	access, err := config.LoadAccess(filepath.Join(dir, AccessFile))
	if err != nil || len(access.Clients) != 1+clients {
		t.Errorf("%d clients, %v", len(access.Clients), err)
	}
	for i := range 3 {
		if n := len(serverOptions(t, dir, i).Nkeys); n != before+clients {
			t.Errorf("server %d has %d users", i, n)
		}
	}
}

// TestAddClientToSomeServers: a client that some servers would refuse is not added.
func TestAddClientToSomeServers(t *testing.T) {
	dir, _ := clustered(t)
	if err := os.RemoveAll(filepath.Join(dir, ServerDir(2))); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, dir)
	_, err := AddClient(dir, NewClient{Party: Party{Name: "late", Kinds: both()}})
	if err == nil || !strings.Contains(err.Error(), "3 NATS servers") || !maps.Equal(before, snapshot(t, dir)) {
		t.Errorf("%v, or files changed", err)
	}
}

// TestAddClientAfterACut: what a power cut left of an earlier attempt is told, and not
// added to.
func TestAddClientAfterACut(t *testing.T) {
	dir, _ := clustered(t)
	file := filepath.Join(dir, ServerDir(1), clientsConf)
	cut := read(t, file) + clientAccount("late", publicOf(t, filepath.Join(dir, clientSeed)))
	if err := os.WriteFile(file, []byte(cut), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := AddClient(dir, NewClient{Party: Party{Name: "late", Kinds: both()}})
	if err == nil || !strings.Contains(err.Error(), "CLIENT_late already") {
		t.Error(err)
	}
	if _, err := AddClient(dir, NewClient{Party: Party{Name: "ate", Kinds: both()}}); err != nil {
		t.Error(err)
	}
}
