package bus

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// MaxPayload is what the server must accept in one message, in bytes.
const MaxPayload = 4 << 20

// DefaultURL is where a server is looked for when Options has no URL.
const DefaultURL = "nats://127.0.0.1:4222"

// Options say how to reach the bus. The zero value of each field is usable
// but Fleet.
type Options struct {
	Fleet string
	URL   string // one or more, separated by commas; DefaultURL if empty
	Name  string // shown in the server's monitoring

	// Credentials is a file: either .creds (JWT and seed) or an nkey seed alone.
	Credentials            string
	TLSCA, TLSCert, TLSKey string // PEM files

	// InboxPrefix is where answers arrive. If empty it is "_INBOX_<Name>" for a
	// Name that is a token, so that a permission can keep others from reading
	// along (nats/server.conf), and "_INBOX" otherwise.
	InboxPrefix string

	// Embedded connects within the process, without a socket.
	Embedded *EmbeddedServer

	Logger  *slog.Logger // nil: silent
	Observe Observer     // nil: nobody

	// WatchStreams has Watch look at every declared stream, its declared
	// consumers and the server's storage (gateways), and not only at the streams
	// that are followed.
	WatchStreams bool

	// Replicas of each stream. 0: Apply creates with 1 and keeps what is there, Check does not look.
	Replicas int

	// RestoreMemory calls Restore after each reconnection (gateways).
	RestoreMemory bool

	MaxInFlight int           // publishes waiting for their acknowledgement, 256 if 0
	AckTimeout  time.Duration // one attempt of a publish or read, 5 s if 0
}

func (o *Options) setDefaults() error {
	if err := CheckFleet(o.Fleet); err != nil {
		return err
	}
	if o.URL == "" {
		o.URL = DefaultURL
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = nobody{}
	}
	if o.MaxInFlight <= 0 {
		o.MaxInFlight = 256
	}
	if o.AckTimeout <= 0 {
		o.AckTimeout = 5 * time.Second
	}
	if o.InboxPrefix == "" && CheckToken(o.Name) == nil {
		o.InboxPrefix = "_INBOX_" + o.Name
	}
	if (o.TLSCert == "") != (o.TLSKey == "") {
		return errors.New("bus: tls_cert and tls_key go together: set both or neither")
	}
	return nil
}

// natsOptions translates; the state handlers come from the Bus.
func (o *Options) natsOptions() ([]nats.Option, error) {
	opts := []nats.Option{
		nats.Name(o.Name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(100 * time.Millisecond),
		nats.ReconnectJitter(200*time.Millisecond, time.Second),
		nats.IgnoreAuthErrorAbort(),
		nats.RetryOnFailedConnect(false),
		// Nothing is kept for later while disconnected: the caller is told at
		// once, and nothing goes out behind its back.
		nats.ReconnectBufSize(-1),
		nats.PingInterval(10 * time.Second),
		nats.MaxPingsOutstanding(2),
	}
	if o.Embedded != nil {
		opts = append(opts, nats.InProcessServer(o.Embedded.server))
	}
	if o.InboxPrefix != "" {
		opts = append(opts, nats.CustomInboxPrefix(o.InboxPrefix))
	}
	if o.TLSCA != "" {
		opts = append(opts, nats.RootCAs(o.TLSCA))
	}
	if o.TLSCert != "" {
		opts = append(opts, nats.ClientCert(o.TLSCert, o.TLSKey))
	}
	if o.Credentials != "" {
		opt, err := credentials(o.Credentials)
		if err != nil {
			return nil, err
		}
		opts = append(opts, opt)
	}
	return opts, nil
}

// maxCredentials is far above any real file: JWTs are a few kilobytes.
const maxCredentials = 1 << 20

func credentials(path string) (nats.Option, error) {
	content, err := secret.File{What: "credentials", Path: path, Max: maxCredentials}.Text()
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	defer content.Wipe()
	if bytes.Contains(content.Expose(), []byte("NATS USER JWT")) {
		return nats.UserCredentials(path), nil
	}
	opt, err := nats.NkeyOptionFromSeed(path)
	if err != nil {
		return nil, fmt.Errorf("bus: credentials: %s is neither a .creds file nor an nkey seed: %w", path, err)
	}
	return opt, nil
}
