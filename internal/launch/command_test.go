package launch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestRunCommand: exit is clean only after an end that was asked for.
func TestRunCommand(t *testing.T) {
	broken := errors.New("keystore: broken")
	for _, test := range []struct {
		name string
		stop bool
		err  error
		ok   bool
	}{
		{"told to stop", true, nil, true},
		{"told to stop while waiting", true, fmt.Errorf("waiting: %w", context.Canceled), true},
		{"told to stop, and it went wrong", true, broken, false},
		{"failed", false, broken, false},
		{"cancelled by itself", false, context.Canceled, false},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		var got string
		cmd := RunCommand("test", func(_ context.Context, path string, o Options) error {
			got = path
			if test.stop {
				cancel()
			}
			return test.err
		})
		cmd.SetArgs([]string{"--config", "a.toml"})
		cmd.SetOut(io.Discard)
		cmd.SetErr(io.Discard)
		if err := cmd.ExecuteContext(ctx); (err == nil) != test.ok || err != nil && !errors.Is(err, test.err) {
			t.Errorf("%s: %v", test.name, err)
		}
		cancel()
		if got != "a.toml" {
			t.Errorf("%s: path %q", test.name, got)
		}
	}
}

// TestRunCommandOnSignals: SIGTERM ends the program by its context.
func TestRunCommandOnSignals(t *testing.T) {
	cmd := RunCommand("test", func(ctx context.Context, _ string, _ Options) error {
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	})
	cmd.SetArgs([]string{"--config", "a.toml", "--log-format", "json"})
	var out bytes.Buffer
	cmd.SetErr(&out)
	if code := Execute(cmd); code != 0 || !strings.Contains(out.String(), `"msg":"stopped"`) {
		t.Errorf("exit code %d: %s", code, out.String())
	}
}

func TestRunCommandArguments(t *testing.T) {
	for want, args := range map[string][]string{
		"required flag":   {},
		"unknown command": {"--config", "x", "y"},
		"log level":       {"--config", "x", "--log-level", "loud"},
		"log format":      {"--config", "x", "--log-format", "xml"},
	} {
		cmd := RunCommand("test", func(context.Context, string, Options) error { t.Error("ran"); return nil })
		cmd.SetArgs(args)
		cmd.SetOut(io.Discard)
		cmd.SetErr(io.Discard)
		if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
}

// TestExecute: the exit code tells, and nothing dumps core.
func TestExecute(t *testing.T) {
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &before); err != nil {
		t.Fatal(err)
	}
	for want, err := range []error{nil, errors.New("broken")} {
		cmd := RunCommand("test", func(context.Context, string, Options) error { return err })
		cmd.SetArgs([]string{"--config", "x"})
		cmd.SetErr(io.Discard)
		if got := Execute(cmd); got != want {
			t.Errorf("exit code %d for %v", got, err)
		}
	}
	var after syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &after); err != nil {
		t.Fatal(err)
	}
	if after.Cur != 0 || after.Max != 0 {
		t.Errorf("core dumps up to %d bytes (before: %d)", after.Cur, before.Cur)
	}
}
