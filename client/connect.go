package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// dial connects, trying again until ctx ends. After that, reconnecting goes on
// for ever.
func (c *Client) dial(ctx context.Context, cfg *Config) (*nats.Conn, error) {
	opts, err := cfg.natsOptions()
	if err != nil {
		return nil, err
	}
	opts = append(opts,
		nats.ErrorHandler(c.onError),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { c.log.Warn("NATS connection lost, reconnecting", "error", err) }),
		nats.ReconnectHandler(func(nc *nats.Conn) { c.log.Info("NATS reconnected", "server", nc.ConnectedServerName()) }),
	)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		nc, err := nats.Connect(cfg.URL, opts...)
		if err == nil {
			return nc, nil
		}
		if errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) {
			return nil, fmt.Errorf("client: NATS at %s refuses these credentials: %w", place(cfg.URL), err)
		}
		if sleep(ctx, wait) != nil {
			return nil, fmt.Errorf("client: no connection to NATS at %s: %w (last attempt: %w)", place(cfg.URL), ctx.Err(), err)
		}
	}
}

func (cfg *Config) natsOptions() ([]nats.Option, error) {
	opts := []nats.Option{
		nats.Name("frostfleet client " + cfg.Name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(100 * time.Millisecond),
		nats.ReconnectJitter(200*time.Millisecond, time.Second),
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectBufSize(-1), // nothing goes out behind the caller's back
		nats.PingInterval(10 * time.Second),
	}
	if cfg.InboxPrefix != "" {
		opts = append(opts, nats.CustomInboxPrefix(cfg.InboxPrefix))
	}
	if cfg.TLSCA != "" {
		opts = append(opts, nats.RootCAs(cfg.TLSCA))
	}
	if cfg.TLSCert != "" {
		opts = append(opts, nats.ClientCert(cfg.TLSCert, cfg.TLSKey))
	}
	if cfg.Credentials != "" {
		opt, err := credentials(cfg.Credentials)
		if err != nil {
			return nil, err
		}
		opts = append(opts, opt)
	}
	return opts, nil
}

// maxCredentials is far above any real file.
const maxCredentials = 1 << 20

// credentials tells a .creds file (JWT and seed) from a bare nkey seed.
func credentials(path string) (nats.Option, error) {
	content, err := secret.File{What: "credentials", Path: path, Max: maxCredentials}.Text()
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	defer content.Wipe()
	if bytes.Contains(content.Expose(), []byte("NATS USER JWT")) {
		return nats.UserCredentials(path), nil
	}
	opt, err := nats.NkeyOptionFromSeed(path)
	if err != nil {
		return nil, fmt.Errorf("client: credentials: %s is neither a .creds file nor an nkey seed: %w", path, err)
	}
	return opt, nil
}

// place names servers without the passwords that URLs may hold.
func place(url string) string {
	urls := strings.Split(url, ",")
	for i, u := range urls {
		if at := strings.LastIndexByte(u, '@'); at >= 0 {
			urls[i] = "nats://" + u[at+1:]
		}
	}
	return strings.Join(urls, ",")
}

// onError hears what the server denies: it answers that in no other way.
func (c *Client) onError(_ *nats.Conn, sub *nats.Subscription, err error) {
	c.log.Warn("NATS connection", "error", err)
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return
	}
	if parts := strings.SplitN(err.Error(), `"`, 3); len(parts) == 3 {
		c.attempts.deny(parts[1], fmt.Errorf("%w: %v", ErrDenied, err))
	}
}

// attempts are the requests under way, by subject, so that a denial ends them
// at once instead of by time-out.
type attempts struct {
	mu     sync.Mutex
	cancel map[string][]*context.CancelCauseFunc
}

// start gives a request a context that ends with ctx, after limit, or with
// the server's denial; context.Cause tells which.
func (a *attempts) start(ctx context.Context, subject string, limit time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	ctx, stop := context.WithTimeout(ctx, limit)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cancel == nil {
		a.cancel = map[string][]*context.CancelCauseFunc{}
	}
	a.cancel[subject] = append(a.cancel[subject], &cancel)
	return ctx, func() {
		stop()
		cancel(nil)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.cancel[subject] = without(a.cancel[subject], &cancel)
		if len(a.cancel[subject]) == 0 {
			delete(a.cancel, subject)
		}
	}
}

func (a *attempts) deny(subject string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, cancel := range a.cancel[subject] {
		(*cancel)(err)
	}
}

func without[T comparable](list []T, gone T) []T {
	kept := list[:0]
	for _, v := range list {
		if v != gone {
			kept = append(kept, v)
		}
	}
	return kept
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
