package pin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// terminal is asked for one PIN at a time.
var terminal sync.Mutex

// IsTerminal reports whether a person can be asked there.
func IsTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Prompt asks on a terminal, without echo. The end of ctx ends the question
// and gives the terminal its echo back; the line that was begun is lost.
func Prompt(in *os.File, out io.Writer, text string) Source {
	return func(ctx context.Context) (*secret.Bytes, error) {
		terminal.Lock()
		defer terminal.Unlock()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		fd := int(in.Fd())
		state, err := term.GetState(fd)
		if err != nil {
			return nil, fmt.Errorf("no terminal: %w: run this on a terminal, or name a file with pin_file", err)
		}
		type line struct {
			text []byte
			err  error
		}
		lines := make(chan line, 1) // read for ever if nobody presses Return
		fmt.Fprint(out, text)
		go func() {
			text, err := term.ReadPassword(fd)
			lines <- line{text, err}
		}()
		select {
		case l := <-lines:
			defer clear(l.text)
			fmt.Fprintln(out)
			if l.err != nil {
				return nil, fmt.Errorf("no PIN was typed: %w: type it and press Return", l.err)
			}
			pin, err := Parse(l.text)
			if err != nil {
				return nil, fmt.Errorf("what was typed %w: type it and press Return", err)
			}
			return pin, nil
		case <-ctx.Done():
			fmt.Fprintln(out)
			return nil, errors.Join(ctx.Err(), term.Restore(fd, state))
		}
	}
}
