package bus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/frostfleet/frostfleet/internal/natsconn"

	"github.com/frostfleet/frostfleet/test/freeport"
)

func TestInProcess(t *testing.T) {
	s := startTest(t, t.TempDir(), 0)
	b := connectTest(t, "", func(o *Options) { o.Embedded = s })
	if err := b.Apply(testContext(t)); err != nil {
		t.Fatal(err)
	}
	var c collector
	if _, err := b.Follow(testContext(t), Sign, 0, c.options()); err != nil {
		t.Fatal(err)
	}
	publishN(t, b, 0, 50)
	checkGapless(t, c.waitFor(t, 50), 1)
}

// foreignServer is somebody's server, not set up for a fleet.
func foreignServer(t *testing.T, opts *server.Options) string {
	t.Helper()
	opts.Host, opts.Port, opts.NoSigs, opts.NoLog = "127.0.0.1", -1, true, true
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("server did not start")
	}
	return s.ClientURL()
}

func TestConnectExplains(t *testing.T) {
	noStreams := foreignServer(t, &server.Options{MaxPayload: natsconn.MaxPayload})
	smallPayload := foreignServer(t, &server.Options{JetStream: true, StoreDir: t.TempDir()})
	locked := foreignServer(t, &server.Options{Username: "u", Password: "secret-password"})
	badKey := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(badKey, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		opt  Options
		want string
	}{
		{"no JetStream", Options{URL: noStreams}, "jetstream section"},
		{"small payload", Options{URL: smallPayload}, "max_payload = 4MB"},
		{"no credentials", Options{URL: locked}, "refuses a connection without credentials"},
		{"bad credentials file", Options{Files: natsconn.Files{Credentials: badKey}}, "neither"},
		{"no credentials file", Options{Files: natsconn.Files{Credentials: badKey + "x"}}, "credentials"},
		{"half a certificate", Options{Files: natsconn.Files{TLSCert: "x"}}, "tls_key"},
		{"nobody there", Options{URL: "nats://user:secret-password@127.0.0.1:1"}, "no connection to NATS at nats://127.0.0.1:1"},
		{"bad fleet", Options{Fleet: "Main"}, "lower case"},
		{"no fleet", Options{Fleet: "a.b"}, "fleet"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
			defer cancel()
			if test.opt.Fleet == "" {
				test.opt.Fleet = "main"
			}
			b, err := Connect(ctx, test.opt)
			if err == nil {
				_ = b.Close(ctx)
				t.Fatal("connected")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v\nshould contain %q", err, test.want)
			}
			if strings.Contains(err.Error(), "secret-password") {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}

// Connect waits for a server that is not up yet.
func TestConnectWaits(t *testing.T) {
	port := freeport.New(t)
	done := make(chan error, 1)
	go func() {
		b, err := Connect(testContext(t), Options{Fleet: "main", URL: fmt.Sprint("nats://127.0.0.1:", port)})
		if err == nil {
			err = b.Close(testContext(t))
		}
		done <- err
	}()
	time.Sleep(100 * time.Millisecond)
	startTest(t, t.TempDir(), port)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A server that has no JetStream yet is one that starts: Connect says what it
// waits for, and ends with ctx.
func TestConnectWaitsForJetStream(t *testing.T) {
	port := freeport.New(t)
	plain, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, MaxPayload: natsconn.MaxPayload, NoSigs: true, NoLog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	plain.Start()
	stop := func() { plain.Shutdown(); plain.WaitForShutdown() }
	t.Cleanup(stop)
	if !plain.ReadyForConnections(patience) {
		t.Fatal("server did not start")
	}
	connecting := func(ctx context.Context, log *logSink) chan error {
		done := make(chan error, 1)
		go func() {
			b, err := Connect(ctx, Options{Fleet: "main", URL: plain.ClientURL(), Logger: log.logger()})
			if err == nil {
				err = b.Close(testContext(t))
			}
			done <- err
		}()
		eventually(t, "waiting", func() error {
			if len(done) > 0 || !strings.Contains(log.String(), "waiting for JetStream") {
				return fmt.Errorf("%d ended, logged %q", len(done), log)
			}
			return nil
		})
		return done
	}
	ctx, cancel := context.WithCancel(testContext(t))
	interrupted := connecting(ctx, new(logSink))
	waits := connecting(testContext(t), new(logSink))
	cancel()
	if err := <-interrupted; err == nil || !strings.Contains(err.Error(), "jetstream section") {
		t.Errorf("interrupted: %v", err)
	}
	stop()
	startTest(t, t.TempDir(), port)
	if err := <-waits; err != nil {
		t.Error(err)
	}
}

// What a cluster answers while it forms is tried again; everything else is not.
func TestOnceFormed(t *testing.T) {
	b := connectTest(t, startTest(t, t.TempDir(), -1).URL())
	for _, test := range []struct {
		err   error
		again bool
	}{
		{&jetstream.APIError{Code: 400, ErrorCode: 10005}, true},
		{fmt.Errorf("creating: %w", &jetstream.APIError{Code: 503, ErrorCode: 10008}), true},
		{nats.ErrNoResponders, true},
		{fmt.Errorf("reading: %w", context.DeadlineExceeded), true},
		{&jetstream.APIError{Code: 500, ErrorCode: 10023}, false},
		{ErrDenied, false},
	} {
		tries := 0
		err := b.onceFormed(testContext(t), func(context.Context) error {
			if tries++; tries == 1 {
				return test.err
			}
			return nil
		})
		if again := tries == 2; again != test.again || again != (err == nil) {
			t.Errorf("%v: %d tries, %v", test.err, tries, err)
		}
	}
	ctx, cancel := context.WithCancel(testContext(t))
	err := b.onceFormed(ctx, func(context.Context) error { cancel(); return nats.ErrNoResponders })
	if !errors.Is(err, context.Canceled) || !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestConnectNkey(t *testing.T) {
	key, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	url := foreignServer(t, &server.Options{MaxPayload: natsconn.MaxPayload, JetStream: true, StoreDir: t.TempDir(), JetStreamMaxStore: 1 << 40,
		Nkeys: []*server.NkeyUser{{Nkey: must[string](t)(key.PublicKey())}}})
	b := connectTest(t, url, func(o *Options) { o.Credentials = seedFile(t, key) })
	if err := b.Apply(testContext(t)); err != nil {
		t.Error(err)
	}
	if _, err := nats.Connect(url); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("without key: %v", err)
	}
}

func seedFile(t testing.TB, key nkeys.KeyPair) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "user.nk")
	if err := os.WriteFile(path, must[[]byte](t)(key.Seed()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
