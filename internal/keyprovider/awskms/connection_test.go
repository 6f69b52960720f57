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
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
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
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	for name, c := range map[string]struct{ url, word string }{
		"refused": {"http://" + gone.Addr().String(), "connection refused"},
		"TLS":     {tls.URL, "certificate"},
		"not TLS": {"https" + strings.TrimPrefix(f.URL, "http"), "TLS handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			o.Endpoint = c.url
			_, err := Open(t.Context(), o)
			wants(t, err, keyprovider.Unavailable, "endpoint not reached", c.word)
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
		v := judge(t.Context(), c.err)
		if v.reason != keyprovider.Unavailable || v.kind != unreachable || !strings.Contains(v.cause, c.word) {
			t.Errorf("%v: %+v", c.err, v)
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
	if f.Calls(kmstest.DescribeKey) != 0 {
		t.Fatal("called without credentials")
	}
}
