package config

import (
	"fmt"
	"strings"
	"testing"
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
