package natsconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// operated is a server of an operator, which takes users by their JWTs, and a
// function that writes a user's .creds file.
func operated(t *testing.T) (url string, user func(expires time.Time) (path string)) {
	t.Helper()
	operator, account := must[nkeys.KeyPair](t)(nkeys.CreateOperator()), must[nkeys.KeyPair](t)(nkeys.CreateAccount())
	accountID := must[string](t)(account.PublicKey())
	of := jwt.NewOperatorClaims(must[string](t)(operator.PublicKey()))
	accounts := &server.MemAccResolver{}
	token := must[string](t)(jwt.NewAccountClaims(accountID).Encode(operator))
	if err := accounts.Store(accountID, token); err != nil {
		t.Fatal(err)
	}
	url = run(t, &server.Options{TrustedOperators: []*jwt.OperatorClaims{of}, AccountResolver: accounts})
	return url, func(expires time.Time) string {
		key := must[nkeys.KeyPair](t)(nkeys.CreateUser())
		claims := jwt.NewUserClaims(must[string](t)(key.PublicKey()))
		claims.Expires = expires.Unix()
		token := must[string](t)(claims.Encode(account))
		path := filepath.Join(t.TempDir(), "user.creds")
		writeFile(t, path, must[[]byte](t)(jwt.FormatUserConfig(token, must[[]byte](t)(key.Seed()))))
		return path
	}
}

// seedFiles writes the seed of a user that no server knows, and a .creds file
// around half of it.
func seedFiles(t *testing.T) (seed, broken string) {
	t.Helper()
	seed, broken = filepath.Join(t.TempDir(), "user.nk"), filepath.Join(t.TempDir(), "broken.creds")
	text := must[[]byte](t)(must[nkeys.KeyPair](t)(nkeys.CreateUser()).Seed())
	writeFile(t, seed, text)
	writeFile(t, broken, fmt.Appendf(nil, "-----BEGIN NATS USER JWT-----\na.b.c\n------END NATS USER JWT------\n\n"+
		"-----BEGIN USER NKEY SEED-----\n%s\n------END USER NKEY SEED------\n", text[:40]))
	return seed, broken
}

// Each error names the file and what to do next, and shows no password and no
// seed. What no retry can fix is an error at once.
func TestErrors(t *testing.T) {
	dir, year := t.TempDir(), time.Now().AddDate(1, 0, 0)
	in := func(name, content string) string {
		path := filepath.Join(dir, name)
		writeFile(t, path, []byte(content))
		return path
	}
	ca, other := newAuthority(t, year), newAuthority(t, year)
	caFile, otherCA := ca.file(t.TempDir()), other.file(t.TempDir())
	cert, _ := ca.leaf(dir, "client", year)
	foreignCert, foreignKey := other.leaf(dir, "foreign", year)
	plain, locked := run(t, &server.Options{}), run(t, &server.Options{Username: "u", Password: "hunter2"})
	secure := tlsServer(t, ca, year, &tls.Config{})
	mutual := tlsServer(t, ca, year, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert})
	expired := tlsServer(t, ca, time.Now().Add(-time.Minute), &tls.Config{})
	byJWT, user := operated(t)
	seed, brokenCreds := seedFiles(t)
	old := user(time.Now().Add(-time.Minute))
	nonsense, gone := in("nonsense", "SUhunter2"), filepath.Join(dir, "gone")
	tests := []struct {
		name string
		opt  Options
		want []string // file, next step
		late bool     // tried again until the context ends
	}{
		{"no CA file", Options{Files: Files{TLSCA: gone}},
			[]string{"tls_ca", gone, "no such file", "PEM file of the authority"}, false},
		{"a CA file without a certificate", Options{Files: Files{TLSCA: nonsense}},
			[]string{"tls_ca", nonsense, "no certificate", "PEM file of the authority"}, false},
		{"half a certificate", Options{Files: Files{TLSCert: cert}}, []string{"tls_key", "set both"}, false},
		{"no key", Options{Files: Files{TLSCert: cert, TLSKey: gone}}, []string{"tls_key", gone, "no such file"}, false},
		{"another's key", Options{Files: Files{TLSCert: cert, TLSKey: foreignKey}},
			[]string{cert, foreignKey, "is not the key of the certificate"}, false},
		{"no credentials file", Options{Files: Files{Credentials: gone}}, []string{"credentials", gone, "no such file"}, false},
		{"a bad seed", Options{Files: Files{Credentials: nonsense}},
			[]string{"credentials", nonsense, "neither", "administrator"}, false},
		{"a bad seed in a .creds file", Options{Files: Files{Credentials: brokenCreds}},
			[]string{"credentials", brokenCreds, "neither", "administrator"}, false},

		{"three bad files", Options{Files: Files{TLSCA: gone, TLSCert: cert, TLSKey: nonsense, Credentials: nonsense}},
			[]string{"tls_ca: file " + gone, "tls_key: file " + nonsense, "credentials: file " + nonsense}, false},

		{"another CA", Options{URL: secure, Files: Files{TLSCA: otherCA}},
			[]string{otherCA, "is not the authority that signed"}, true},
		{"no CA", Options{URL: strings.Replace(secure, "nats:", "tls:", 1)}, []string{"set tls_ca"}, true},
		{"another host", Options{URL: strings.Replace(secure, "127.0.0.1", "localhost", 1), Files: Files{TLSCA: caFile}},
			[]string{"a name in url"}, true},
		{"an expired server", Options{URL: expired, Files: Files{TLSCA: caFile}}, []string{"must renew its certificate"}, true},
		{"no client certificate", Options{URL: mutual, Files: Files{TLSCA: caFile}}, []string{"set tls_cert and tls_key"}, true},
		{"a foreign client certificate", Options{URL: mutual, Files: Files{TLSCA: caFile, TLSCert: foreignCert, TLSKey: foreignKey}},
			[]string{foreignCert, "ask its administrator"}, true},
		{"TLS where there is none", Options{URL: plain, Files: Files{TLSCA: caFile}}, []string{"the server has no TLS"}, true},
		{"no server", Options{URL: "nats://u:hunter2@127.0.0.1:1"},
			[]string{"no connection to NATS at nats://127.0.0.1:1", "check the address"}, true},

		{"no credentials", Options{URL: locked}, []string{locked, "set credentials"}, false},
		{"a wrong password", Options{URL: strings.Replace(locked, "//", "//u:xhunter2@", 1)},
			[]string{locked, "refuses"}, false},
		{"an unknown seed", Options{URL: locked, Files: Files{Credentials: seed}},
			[]string{locked, seed, "ask its administrator"}, false},
		{"expired credentials", Options{URL: byJWT, Files: Files{Credentials: old}},
			[]string{byJWT, old, "they expired at 20", "ask its administrator"}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := refusedConnect(t, test.opt, test.late)
			// On a busy machine an attempt may end by a time-out of its own.
			for end := time.Now().Add(patience); test.late && !contains(err, test.want) && time.Now().Before(end); {
				err = refusedConnect(t, test.opt, test.late)
			}
			if !contains(err, test.want) {
				t.Errorf("%v\nshould contain %q", err, test.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows a secret: %v", err)
			}
			if ended := errors.Is(err, context.DeadlineExceeded); ended != test.late {
				t.Errorf("ended with the context: %t, want %t: %v", ended, test.late, err)
			}
		})
	}
	t.Run("valid credentials", func(t *testing.T) {
		c := connect(t, Options{URL: byJWT, Files: Files{Credentials: user(year)}})
		if got := c.Expiry().Read(); len(got) != 1 || !got[0].Expires.Equal(year.Truncate(time.Second)) {
			t.Errorf("expiry is %+v", got)
		}
	})
}

// refusedConnect gives the error of Connect, which has little time if the error
// comes with the end of the context.
func refusedConnect(t *testing.T, opt Options, late bool) error {
	t.Helper()
	limit := patience
	if late {
		limit = 300 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	c, err := Connect(ctx, opt)
	if err == nil {
		c.Close()
		t.Fatal("connected")
	}
	return err
}

func contains(err error, want []string) bool {
	return !slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(err.Error(), w) })
}

// A denied request ends at once, and says whose permission is missing.
func TestDenied(t *testing.T) {
	key := must[nkeys.KeyPair](t)(nkeys.CreateUser())
	path := filepath.Join(t.TempDir(), "user.nk")
	writeFile(t, path, must[[]byte](t)(key.Seed()))
	url := run(t, &server.Options{JetStream: true, StoreDir: t.TempDir(), Nkeys: []*server.NkeyUser{{
		Nkey:        must[string](t)(key.PublicKey()),
		Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"secret.>"}}},
	}}})
	c := connect(t, Options{URL: url, Files: Files{Credentials: path}})
	for what, do := range map[string]func() error{
		"ask":   func() error { _, err := c.Ask(t.Context(), "secret.question", nil); return err },
		"store": func() error { _, err := c.Store(t.Context(), nats.NewMsg("secret.message")); return err },
	} {
		err := do()
		if !errors.Is(err, ErrDenied) || !errors.Is(Classify(err), ErrDenied) {
			t.Errorf("%s: %v, want ErrDenied", what, err)
			continue
		}
		for _, want := range []string{path, "secret.", "nats/server.conf"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nshould contain %q", what, err, want)
			}
		}
	}
	if _, err := c.Ask(t.Context(), "nobody.there", nil); !errors.Is(Classify(err), ErrNoStream) {
		t.Errorf("a question that nobody takes: %v", err)
	}
}

// What waits ends with its connection, and with Close.
func TestWaitingEndsWithTheConnection(t *testing.T) {
	opts := &server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true}
	s := must[*server.Server](t)(server.NewServer(opts))
	s.Start()
	defer s.Shutdown()
	if !s.ReadyForConnections(patience) {
		t.Fatal("server did not start")
	}
	silent := connect(t, Options{URL: s.ClientURL()})
	asked := make(chan struct{}, 2)
	must[*nats.Subscription](t)(silent.Subscribe("silence", func(*nats.Msg) { asked <- struct{}{} }))
	if err := silent.Flush(); err != nil {
		t.Fatal(err)
	}
	wait := func(c *Conn, end func()) error {
		ended := make(chan error, 1)
		go func() { _, err := c.Ask(t.Context(), "silence", nil); ended <- err }()
		<-asked
		end()
		return <-ended
	}
	c := connect(t, Options{URL: s.ClientURL()})
	if err := wait(c, c.Close); !errors.Is(err, ErrClosed) || !errors.Is(c.Healthy(), ErrClosed) {
		t.Errorf("after Close: %v, %v", err, c.Healthy())
	}
	c = connect(t, Options{URL: s.ClientURL()})
	if err := wait(c, s.Shutdown); !errors.Is(err, ErrDisconnected) || errors.Is(Classify(err), ErrUnknown) {
		t.Errorf("after the server's end: %v", err)
	}
	if _, err := c.Store(t.Context(), nats.NewMsg("x")); !errors.Is(err, ErrDisconnected) {
		t.Errorf("without a server: %v, and nothing was sent", err)
	}
	if err := c.Healthy(); !errors.Is(err, ErrDisconnected) || !strings.Contains(err.Error(), s.ClientURL()) {
		t.Errorf("healthy: %v", err)
	}
}

// A server is named without its password.
func TestServerName(t *testing.T) {
	for url, want := range map[string]string{
		"nats://a:4222":                      "NATS at nats://a:4222",
		"tls://u:hunter2@a:4222,nats://b:1":  "NATS at tls://a:4222,nats://b:1",
		"u:hunter2@a":                        "NATS at a",
		"nats://u:hun@ter2@a,nats://t0ken@b": "NATS at nats://a,nats://b",
	} {
		c := &Conn{opt: Options{URL: url}}
		if got := c.Server(); got != want {
			t.Errorf("%s is named %s, want %s", url, got, want)
		}
	}
}
