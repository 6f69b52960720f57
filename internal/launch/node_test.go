package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/freeport"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

// TestNodeWaitsForItsDevice: a device that is away at start, or whose key is
// switched off, keeps the node waiting. Readiness and metrics say for what.
func TestNodeWaitsForItsDevice(t *testing.T) {
	kmstest.Setenv(t)
	kms := kmstest.StartFaultKMS(t)
	identity, mac := kms.CreateKey(kmstest.Identity), kms.CreateKey(kmstest.Derivation)
	kms.Disable(identity)
	for name, test := range map[string]struct{ endpoint, ready, metric string }{
		"away":     {"http://" + freeAddress(t), "connection refused", `frostfleet_provider_failing{reason="unavailable"} 1`},
		"disabled": {kms.Endpoint(), "aws kms enable-key", `frostfleet_provider_failing{reason="disabled"} 1`},
	} {
		t.Run(name, func(t *testing.T) {
			dir, o := newFleet(t, 1)
			n := loadNode(t, dir, 0)
			n.Node.KeyProvider = nodeWith(t, t.TempDir(), fmt.Sprintf("type = \"aws-kms\"\nkey_id = %q\nderivation_key_id = %q\nendpoint = %q\n",
				identity, mac, test.endpoint)).Node.KeyProvider
			host, port, err := net.SplitHostPort(freeAddress(t))
			if err != nil {
				t.Fatal(err)
			}
			n.Server.Host = host
			if n.Server.Port, err = strconv.Atoi(port); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			waits := make(chan struct{}, 9)
			o.Log = slog.New(slog.NewTextHandler(onWrite(func(line string) {
				if strings.Contains(line, "the key provider does not open") {
					waits <- struct{}{}
				}
			}), nil))
			ended := make(chan error, 1)
			go func() { ended <- Node(ctx, n, o) }()
			select {
			case <-waits:
			case err := <-ended:
				t.Fatal(err)
			}
			address := "http://" + net.JoinHostPort(host, port)
			if text := get(t, address+"/readyz"); !strings.Contains(text, test.ready) {
				t.Errorf("readiness says %s", text)
			}
			text := get(t, address+"/metrics")
			for _, want := range []string{"frostfleet_provider_up 0\n", test.metric} {
				if !strings.Contains(text, want) {
					t.Errorf("no %s in the metrics", want)
				}
			}
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// freeAddress is one at which nobody answers.
func freeAddress(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", freeport.New(t))
}

func get(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// failing is a back end that fails to open until it has been tried often.
type failing struct {
	keyprovider.Section
	reason       keyprovider.Reason
	tries, until int
}

func (f *failing) Open(context.Context, keyprovider.Node, keyprovider.Options) (keyprovider.Provider, error) {
	if f.tries++; f.tries > f.until {
		return nil, nil
	}
	return nil, &keyprovider.Error{Reason: f.reason}
}

// TestReopening: what may pass or be fixed is waited for, and logged once in a
// while.
func TestReopening(t *testing.T) {
	n := nodeWith(t, t.TempDir(), "type = \"software\"\nkey_file = \"k\"\n")
	synctest.Test(t, func(t *testing.T) {
		lines, reports := 0, 0
		o := ProviderOptions{Waiting: func(error) { reports++ }}
		o.Log = slog.New(slog.NewTextHandler(onWrite(func(string) { lines++ }), nil))
		open := func(reason keyprovider.Reason, until int) (tries int, err error) {
			f := &failing{reason: reason, until: until}
			n.Node.KeyProvider.Section = f
			_, err = OpenProvider(t.Context(), n, o)
			return f.tries, err
		}
		start := time.Now()
		if tries, err := open(keyprovider.Disabled, 50); err != nil || tries != 51 || reports != 50 {
			t.Errorf("%v after %d tries, %d reports", err, tries, reports)
		}
		if took := time.Since(start); lines < 2 || lines > 1+int(took/sameAgain) {
			t.Errorf("%d lines in %s", lines, took)
		}
		for _, reason := range []keyprovider.Reason{keyprovider.CannotDerive, keyprovider.Other, keyprovider.Credentials} {
			if tries, err := open(reason, 9); keyprovider.ReasonOf(err) != reason || tries != 1 {
				t.Errorf("%v after %d tries", err, tries)
			}
		}
		o.Waiting = nil
		if tries, err := open(keyprovider.Unavailable, 9); err == nil || tries != 1 {
			t.Errorf("a command waits: %v after %d tries", err, tries)
		}
	})
}
