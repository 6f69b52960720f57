package client

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/trace"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Config is what New needs. Load makes one of a client.toml.
type Config struct {
	Manifest *Manifest                    // of the fleet
	Gateways map[string]ed25519.PublicKey // whose results count, by name
	Name     string                       // of this client, as in the fleet's access list
	Key      ed25519.PrivateKey           // signs the jobs

	// SecondKeys are other keys of Gateways, by name: of those whose key is being
	// replaced. Results under either count.
	SecondKeys map[string]ed25519.PublicKey

	// AccessFile is an access list, by which Gateways are replaced whenever it
	// changes: a gateway that is revoked there is believed nothing more. Load sets it.
	AccessFile string

	// Conn is used if set; it stays the caller's to close. Otherwise New
	// connects by the fields below.
	Conn *nats.Conn

	URL                    string // one or more, separated by commas; nats://127.0.0.1:4222 if empty
	Credentials            string // file: .creds, or an nkey seed alone
	TLSCA, TLSCert, TLSKey string // PEM files
	InboxPrefix            string // where answers arrive; _INBOX if empty. A permission may demand it

	// PollAfter is how long a job goes unanswered before the client reads the
	// stored result itself; 2 s if 0. The waits between reads grow to 15 s.
	PollAfter time.Duration
	// MaxInFlight is how many jobs of one large request run at a time; 8 if 0.
	// The fleet's quota is 256 open jobs of each kind, and 16 large ones (nats/streams.json).
	MaxInFlight int
	// CollectFor has Sign put requests of one item each, which come within this time, into
	// one job, for instance those of the users of a web service: a few milliseconds more for
	// one signature, and several times as many in a second. Each caller gets its own answer.
	// Only items with PublicKey, and requests without JobID and Expires, are put together.
	// 0: none are.
	CollectFor time.Duration
	// CollectItems is how many requests are one job at most, 10 if 0 and 100 at most. Jobs
	// of up to 10 items are done before larger ones; larger ones make more of a busy fleet.
	CollectItems int
	// Recheck is the share of the signatures of a job, from 0 to 1, that btcd's library, its
	// script engine (of a PSBT's inputs) or crypto/ed25519 check as well, which share no code
	// with what checks all of them at once.
	// They are chosen anew for each job, so that nobody can tell before which, and at least
	// one is; 0.01 if 0. At 1 a signature costs the client several times as much.
	Recheck float64
	Logger  *slog.Logger // nil: silent
	// TracerProvider makes an OpenTelemetry span of each job, whose traceparent goes
	// with the job. Nil: no spans; that of the caller's context goes with it.
	TracerProvider trace.TracerProvider
}

const redacted = "[client config]"

// Format keeps the private key out of every log.
func (Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText keeps the private key out of JSON and every text encoder.
func (Config) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (Config) LogValue() slog.Value { return slog.StringValue(redacted) }

// check reports everything that is wrong, and fills in defaults.
func (cfg *Config) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("client: "+format, args...)) }
	switch {
	case cfg.Manifest == nil:
		bad("no manifest: ask the fleet's operators for manifest.json")
	case cfg.Manifest.core == nil:
		bad("the manifest was not parsed: make it with ParseManifest or LoadManifest")
	}
	if len(cfg.Gateways) == 0 {
		bad("no gateways: without a gateway's public key no result can be believed")
	}
	if !wire.IsToken(cfg.Name) {
		bad("name %q: use 1 to 64 letters, digits, _ or -, as in the fleet's access list", cfg.Name)
	}
	switch {
	case len(cfg.Key) != ed25519.PrivateKeySize:
		bad("the private key has %d bytes, an Ed25519 key has %d", len(cfg.Key), ed25519.PrivateKeySize)
	case !bytes.Equal(ed25519.NewKeyFromSeed(cfg.Key.Seed()), cfg.Key):
		bad("the private key's halves do not belong together")
	}
	if (cfg.TLSCert == "") != (cfg.TLSKey == "") {
		bad("tls_cert and tls_key go together: set both or neither")
	}
	if cfg.CollectItems > maxCollected {
		bad("CollectItems is %d: at most %d requests are put into one job", cfg.CollectItems, maxCollected)
	}
	if !(cfg.Recheck >= 0 && cfg.Recheck <= 1) { // nor NaN
		bad("Recheck is %v: want a share from 0 to 1", cfg.Recheck)
	}
	cfg.Recheck = cmp.Or(cfg.Recheck, defaultRecheck)
	cfg.CollectItems = cmp.Or(max(cfg.CollectItems, 0), defaultCollected)
	cfg.PollAfter = cmp.Or(max(cfg.PollAfter, 0), 2*time.Second)
	cfg.MaxInFlight = cmp.Or(max(cfg.MaxInFlight, 0), 8)
	cfg.Logger = cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))
	return errors.Join(errs...)
}
