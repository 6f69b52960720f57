package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/frostfleet/frostfleet/internal/command"
)

func wantJSON(cmd *cobra.Command) bool { return command.WantJSON(cmd) }

func printJSON(w io.Writer, v any) error { return command.PrintJSON(w, v) }

// show prints a value as JSON, or as what text writes.
func show(cmd *cobra.Command, v any, text func(io.Writer) error) error {
	if wantJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), v)
	}
	return text(cmd.OutOrStdout())
}

// say prints a value as JSON, or as text.
func say(cmd *cobra.Command, v any, format string, args ...any) error {
	return show(cmd, v, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, format, args...)
		return err
	})
}

// note says something to people, on standard error; with --json it is an object like all else.
func note(cmd *cobra.Command, format string, args ...any) {
	if wantJSON(cmd) {
		_ = printJSON(cmd.ErrOrStderr(), map[string]string{"note": fmt.Sprintf(format, args...)}) // no reason to stop
		return
	}
	fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// hexFlag is a flag whose value is hexadecimal.
type hexFlag []byte

func (h *hexFlag) Set(text string) error {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) == 0 {
		return errors.New("want hexadecimal, two digits a byte, without 0x")
	}
	*h = b
	return nil
}

func (h *hexFlag) String() string { return hex.EncodeToString(*h) }

// Type is shown in help texts.
func (*hexFlag) Type() string { return "hex" }

// portFlag is a flag whose value is a TCP port, or least, which means something
// else: none, or any.
type portFlag struct {
	port  *int
	least int
}

func (p portFlag) Set(text string) error {
	port, err := strconv.Atoi(text)
	if err != nil || port < p.least || port > 65535 {
		return fmt.Errorf("want a port, %d to 65535", p.least)
	}
	*p.port = port
	return nil
}

func (p portFlag) String() string {
	if p.port == nil {
		return ""
	}
	return strconv.Itoa(*p.port)
}

// Type is shown in help texts.
func (portFlag) Type() string { return "port" }

func each[A, B any](list []A, of func(A) B) []B {
	made := make([]B, len(list))
	for i, a := range list {
		made[i] = of(a)
	}
	return made
}
