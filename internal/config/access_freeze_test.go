package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAdministrators: who may freeze has a usable key of its own, and the quorum is one
// that there can be.
func TestAdministrators(t *testing.T) {
	a, err := LoadAccess(filepath.Join("..", "..", "configs", "access.toml"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := a.Wire()
	if err != nil || list.Quorum() != 2 || list.AdministratorOf([]byte(a.Administrators[1].PublicKey)) != "dave" {
		t.Fatalf("%+v, %v", a.Administrators, err)
	}
	good, err := os.ReadFile(filepath.Join("..", "..", "configs", "access.toml"))
	if err != nil {
		t.Fatal(err)
	}
	client, dave := a.Clients[0].PublicKey.String(), a.Administrators[1].PublicKey.String()
	for want, change := range map[string][2]string{
		"is the key of client treasury too":                {dave, client},
		"\"carol\" is taken by an entry above":             {`name = "dave"`, `name = "carol"`},
		"freeze.unfreeze_quorum: is 3: use 1 to 2":         {"unfreeze_quorum = 2", "unfreeze_quorum = 3"},
		"freeze.unfreeze_quorum: is 0: use 1 to 2":         {"unfreeze_quorum = 2", "unfreeze_quorum = 0"},
		"not a usable Ed25519 public key":                  {dave, strings.Repeat("0", 64)},
		"use 1 to 64 letters, digits, _ or -":              {`name = "dave"`, `name = "d ave"`},
		"administrator[1].kinds: unknown key":              {`name = "dave"`, "name = \"dave\"\nkinds = [\"sign\"]"},
		"freeze.quorum: unknown key":                       {"unfreeze_quorum = 2", "quorum = 2"},
		"there is no [[administrator]] to unfreeze":        {"[[administrator]]\nname = \"carol\"", "[[xadministrator]]\nname = \"carol\""},
		"administrator[1].public_key: is missing":          {"public_key = \"" + dave + "\"", ""},
		"is the key of administrator carol too":            {dave, a.Administrators[0].PublicKey.String()},
		"cannot decode TOML string: it has the wrong type": {"unfreeze_quorum = 2", "unfreeze_quorum = \"all\""},
	} {
		text := strings.Replace(string(good), change[0], change[1], 1)
		if strings.HasPrefix(want, "there is no") {
			head, _, _ := strings.Cut(string(good), "[[administrator]]")
			text = head + "[freeze]\nunfreeze_quorum = 1\n"
		}
		if text == string(good) {
			t.Fatalf("%s: nothing changed", want)
		}
		if _, err := LoadAccess(write(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	alone, err := LoadAccess(write(t, "[[administrator]]\nname = \"carol\"\npublic_key = \""+dave+"\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if list, err := alone.Wire(); err != nil || list.Quorum() != 1 {
		t.Errorf("one administrator: %v", err)
	}
}

// TestParseAdministrator: the file of who freezes.
func TestParseAdministrator(t *testing.T) {
	path := write(t, "[administrator]\nkey_file = \"a.key\"\n")
	a, err := ParseAdministrator(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	if a.Administrator.KeyFile != filepath.Join(dir, "a.key") || a.Administrator.Access != filepath.Join(dir, "access.toml") {
		t.Errorf("%+v", a.Administrator)
	}
	for want, text := range map[string]string{
		"administrator.key_file: is missing": "[bus]\nurl = \"nats://127.0.0.1:4222\"\n",
		"administrator.name: unknown key":    "[administrator]\nkey_file = \"a\"\nname = \"x\"\n",
		"bus.embedded":                       "[administrator]\nkey_file = \"a\"\n[bus]\nembedded = true\n",
	} {
		if _, err := ParseAdministrator(write(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
