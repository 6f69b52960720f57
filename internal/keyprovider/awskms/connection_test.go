package awskms

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

// TestContextEnds: the caller's deadline and the caller's cancellation are
// told apart, in the middle of a call and before it.
func TestContextEnds(t *testing.T) {
	f, o := faulty(t)
	p := open(t, o)
	f.Everywhere(fault{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := p.Sign(ctx, [32]byte{1})
	wants(t, err, keyprovider.Timeout, "raise timeout")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	before := f.Calls(kmstest.Sign)
	go func() {
		for f.Calls(kmstest.Sign) == before {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	_, err = p.Sign(ctx, [32]byte{1})
	wants(t, err, keyprovider.Canceled)
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err = p.Sign(ctx, [32]byte{1}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	heard := &calls{}
	o.Observe = heard.observe
	if _, err = Open(ctx, o); !errors.Is(err, context.Canceled) || heard.String() != "" {
		t.Fatalf("%v, and calls that were never made: %s", err, heard)
	}
}

func TestNoConnection(t *testing.T) {
	f, o := faulty(t)
	tls := httptest.NewUnstartedServer(f)
	tls.Config.ErrorLog = log.New(io.Discard, "", 0)
	tls.StartTLS()
	defer tls.Close()
	for name, c := range map[string]struct{ url, word string }{
		"refused": {"http://" + gone(t), "connection refused"},
		"TLS":     {tls.URL, "certificate"},
		"not TLS": {"https" + strings.TrimPrefix(f.URL, "http"), "TLS handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			o.Endpoint = c.url
			heard := &calls{}
			o.Observe = heard.observe
			_, err := Open(t.Context(), o)
			wants(t, err, keyprovider.Unavailable, "endpoint not reached", c.word)
			if name == "refused" && heard.String() != "" {
				t.Errorf("heard of calls that were not sent: %s", heard)
			}
		})
	}
}

// TestJudgeTransport: what a test can't make the machine do.
func TestJudgeTransport(t *testing.T) {
	send := func(err error) error {
		return &smithy.OperationError{Err: &smithyhttp.RequestSendError{Err: &net.OpError{Op: "dial", Net: "tcp", Err: err}}}
	}
	for _, c := range []struct {
		err  error
		word string
	}{
		{send(&net.DNSError{Err: "no such host", Name: "kms.us-eest-1.amazonaws.com", IsNotFound: true}), "no such host"},
		{send(os.ErrDeadlineExceeded), "i/o timeout"},
		{send(context.DeadlineExceeded), "deadline"}, // of the dialer, not of the caller
	} {
		if p, text := classify(t.Context(), c.err); p != unreachable || !strings.Contains(text, c.word) {
			t.Errorf("%v: %+v, %s", c.err, p, text)
		}
	}
}

func TestCredentials(t *testing.T) {
	f, o := faulty(t)
	config := filepath.Join(t.TempDir(), "config")
	text := "[profile frost]\ncredential_process = echo '{\"SecretAccessKey\": \"SECRETKEY\"'\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	heard := &calls{}
	o.Observe = heard.observe
	for name, c := range map[string]struct{ env, profile, word string }{
		"none":    {"AWS_ACCESS_KEY_ID=", "", "give the machine an instance or task role"},
		"process": {"AWS_CONFIG_FILE=" + config, "frost", "credential_process failed"},
	} {
		t.Run(name, func(t *testing.T) {
			key, value, _ := strings.Cut(c.env, "=")
			t.Setenv(key, value)
			o.Profile = c.profile
			_, err := Open(t.Context(), o)
			wants(t, err, keyprovider.Credentials, c.word)
			if strings.Contains(err.Error(), "SECRETKEY") {
				t.Fatalf("says a secret: %v", err)
			}
		})
	}
	if f.Calls(kmstest.DescribeKey) != 0 || heard.String() != "" {
		t.Fatalf("called without credentials: %s", heard)
	}
}

// TestDeadIdleConnections: connections that a firewall has forgotten, without
// a word, cost one call and not one each.
func TestDeadIdleConnections(t *testing.T) {
	f, o := faulty(t)
	o.DerivationKeyID = ""
	way := newWay(t, strings.TrimPrefix(f.URL, "http://"))
	o.Endpoint = "http://" + way.Addr().String()
	p := open(t, o)
	f.Fault(kmstest.Sign, fault{Latency: 100 * time.Millisecond})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := p.Sign(t.Context(), [32]byte{1}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	f.Fault(kmstest.Sign)
	way.forget()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := p.Sign(ctx, [32]byte{1})
	wants(t, err, keyprovider.Timeout)
	ctx, cancel = context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if _, err := p.Sign(ctx, [32]byte{1}); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

// way is a TCP proxy that can forget its connections.
type way struct {
	net.Listener
	mu    sync.Mutex
	conns []*atomic.Bool // true: forgotten
}

func newWay(t *testing.T, to string) *way {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	w := &way{Listener: l}
	go func() {
		for {
			here, err := l.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", to)
			if err != nil {
				_ = here.Close()
				continue
			}
			forgotten := new(atomic.Bool)
			w.mu.Lock()
			w.conns = append(w.conns, forgotten)
			w.mu.Unlock()
			go w.copy(there, here, forgotten)
			go w.copy(here, there, forgotten)
		}
	}()
	return w
}

func (w *way) copy(to, from net.Conn, forgotten *atomic.Bool) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			_ = to.Close()
			return
		}
		if !forgotten.Load() {
			_, _ = to.Write(buffer[:n])
		}
	}
}

func (w *way) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		c.Store(true)
	}
}
