package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// devToken is the token of a development fleet, in its directory.
const devToken = "http.token"

// devHTTP gives the gateway of a development fleet an HTTP API: for the fleet's own client, with
// all scopes, and with the token in the directory, which is made at the first time. Port 0 is any
// that is free.
func devHTTP(dir string, port int) func(*config.Gateway) error {
	return func(g *config.Gateway) error {
		own, err := config.ParseClient(filepath.Join(dir, fleet.ClientFile))
		if err != nil {
			return err
		}
		token, err := ownToken(filepath.Join(dir, devToken))
		if err != nil {
			return err
		}
		h := g.HTTP
		if !g.HTTPOn() {
			h = config.NewHTTP()
			h.Directory = filepath.Join(filepath.Dir(filepath.Join(dir, fleet.GatewayFile)), h.Directory)
		}
		h.Port = port
		h.Clients = append(h.Clients, config.HTTPClient{Name: own.Client.Name, KeyFile: own.Client.KeyFile})
		h.Tokens = append(h.Tokens, config.HTTPToken{HTTPCaller: config.HTTPCaller{
			Name: "dev", SHA256: token, Client: own.Client.Name, Scopes: config.HTTPScopes,
		}})
		g.GiveHTTP(h)
		return nil
	}
}

// ownToken is the SHA-256 of a file's token. Where there is no file it is made.
func ownToken(path string) (config.Digest, error) {
	text, err := secret.File{What: "token file", Path: path, Max: 256}.Line()
	if err == nil {
		defer text.Wipe()
		return tokenHash(string(text.Expose())), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return config.Digest{}, err
	}
	token, sum := newToken()
	return sum, os.WriteFile(path, []byte(token+"\n"), 0o600)
}

// sayHTTP says where the HTTP API is: its URL alone in the last line of standard output.
func sayHTTP(cmd *cobra.Command, dir, url string) {
	token := filepath.Join(dir, devToken)
	if wantJSON(cmd) {
		_ = printJSON(cmd.OutOrStdout(), map[string]any{ // the fleet runs all the same
			"ready": true, "directory": dir, "url": url, "token_file": token,
		})
		return
	}
	note(cmd, "the fleet is ready; stop it with Ctrl-C\n"+
		"the console is at the URL below, the document at /openapi.json, a page of it at /docs, the token in %[2]s:\n"+
		"  curl -H \"Authorization: Bearer $(cat %[2]s)\" %[1]s/v1/keys", url, token)
	_ = say(cmd, nil, "%s\n", url)
}
