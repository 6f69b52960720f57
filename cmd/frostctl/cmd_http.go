package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func newHTTPCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "http", Short: "Administer a gateway's HTTP API",
		Long:    `Http makes what callers of a gateway's HTTP API show: docs/http.md.`,
		Example: "  frostctl http token --client treasury --scopes keygen,sign,read",
	}
	cmd.AddCommand(newHTTPTokenCommand())
	return cmd
}

// newToken makes a bearer token: 32 random bytes. Only its hash is kept.
func newToken() (token string, sum config.Digest) {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails
	token = "ff_" + base64.RawURLEncoding.EncodeToString(random)
	return token, tokenHash(token)
}

func tokenHash(token string) config.Digest { return sha256.Sum256([]byte(token)) }

// httpToken is a token and its entry in gateway.toml.
type httpToken struct {
	Token  string `json:"token"`
	SHA256 string `json:"sha256"`
	Entry  string `json:"entry"`
}

func newHTTPTokenCommand() *cobra.Command {
	var name, client string
	var scopes []string
	var rate float64
	var days int
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make a bearer token, and the entry that lets it in",
		Long: `Token makes a bearer token of 32 random bytes and prints it, and the entry for
the gateways' gateway.toml, which holds only its hash: the token is kept
nowhere. The entry counts at once, without a restart.

A client "*" reads and approves for all clients.`,
		Example: "  frostctl http token --client shop --scopes keygen,sign,read --name shop-backend --days 365",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if client != "*" && !wire.IsToken(client) {
				return usagef("--client %.64q: use the name of a client of the access list, or \"*\"", client)
			}
			if name == "" {
				name = strings.ReplaceAll(client, "*", "all") + "-" + strings.Join(scopes, "-")
			}
			if !wire.IsToken(name) {
				return usagef("--name %.64q: use 1 to 64 letters, digits, _ or -", name)
			}
			for _, scope := range scopes {
				if !slices.Contains(config.HTTPScopes, scope) {
					return usagef("--scopes has %.32q: use %s", scope, strings.Join(config.HTTPScopes, ", "))
				}
				if client == "*" && scope != "read" && scope != "approve" {
					return usagef("--scopes has %q for client \"*\": who asks for keys or signatures is one client", scope)
				}
			}
			if len(scopes) == 0 || rate < 0 || days < 0 {
				return usagef("--scopes needs one at least, and --rate and --days are not negative")
			}
			token, sum := newToken()
			t := httpToken{Token: token, SHA256: hex.EncodeToString(sum[:])}
			t.Entry = tokenEntry(name, t.SHA256, client, scopes, rate, days)
			return show(cmd, t, func(w io.Writer) error {
				note(cmd, "The token, which is kept nowhere:")
				if _, err := fmt.Fprintln(w, t.Token); err != nil {
					return err
				}
				note(cmd, "\nIts entry for gateway.toml, at every gateway:\n\n%s", t.Entry)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&client, "client", "", "whose keys and jobs; \"*\": all clients', to read and approve")
	cmd.Flags().StringSliceVar(&scopes, "scopes", []string{"read"}, "keygen, sign, read, approve")
	cmd.Flags().StringVar(&name, "name", "", "of the token, in logs (default: client and scopes)")
	cmd.Flags().Float64Var(&rate, "rate", 0, "requests a second; 0: no limit")
	cmd.Flags().IntVar(&days, "days", 0, "until it expires; 0: never")
	_ = cmd.MarkFlagRequired("client") // fails only without such a flag
	return cmd
}

func tokenEntry(name, sum, client string, scopes []string, rate float64, days int) string {
	entry := fmt.Sprintf("[[http.token]]\nname = %q\nsha256 = %q\nclient = %q\nscopes = [\"%s\"]\n", name, sum, client,
		strings.Join(scopes, `", "`))
	if rate > 0 {
		entry += fmt.Sprintf("rate = %g\n", rate)
	}
	if days > 0 {
		entry += "expires = " + time.Now().AddDate(0, 0, days).UTC().Format(time.RFC3339) + "\n"
	}
	return entry
}
