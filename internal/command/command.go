// Package command is what the command lines of frostctl, frost-worker and
// frost-gateway have in common: usage errors, exit codes, the version, and
// errors put into sentences for people.
package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes of every program.
const (
	CodeError       = 1   // anything without a code of its own
	CodeUsage       = 2   // the command line
	CodeInterrupted = 130 // SIGINT or SIGTERM before the command was done
)

// An Exit is one row of a program's exit codes: what it means, and which
// errors end with it.
type Exit struct {
	Code    int              `json:"code"`
	Meaning string           `json:"meaning"`
	Is      func(error) bool `json:"-"`
}

// exits completes a program's own rows. The first row that fits an error
// counts; an error that fits none is CodeError.
func exits(own []Exit) []Exit {
	all := []Exit{
		{CodeUsage, "the command line is wrong", isUsage},
	}
	all = append(all, own...)
	return append(all,
		Exit{CodeInterrupted, "interrupted", func(err error) bool { return errors.Is(err, context.Canceled) }},
		Exit{0, "done", func(err error) bool { return err == nil }},
		Exit{CodeError, "another error: a file, the configuration, the connection", func(error) bool { return true }},
	)
}

// ExitCode is the exit code of an error, by a program's own rows.
func ExitCode(err error, own []Exit) int {
	all := exits(own)
	return all[slices.IndexFunc(all, func(e Exit) bool { return e.Is(err) })].Code
}

// Run runs a program and returns its exit code. Errors go to standard error
// as sentences; what is wrong with the command line is followed by its usage.
// SIGINT and SIGTERM end the command's context, and the second of them ends the
// program at once. Programs that hold secrets dump no core, and no other process of
// their user looks into their memory.
func Run(ctx context.Context, root *cobra.Command, own ...Exit) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	hideMemory()
	prepare(root, own)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil {
		report(cmd, err, ExitCode(err, own))
	}
	return ExitCode(err, own)
}

// failure is an error as --json has it.
type failure struct {
	Error string `json:"error"`
	Code  int    `json:"exit_code"`
	Usage string `json:"usage,omitempty"`
}

// report says on standard error what is wrong.
func report(cmd *cobra.Command, err error, code int) {
	root, usage := cmd.Root(), ""
	if isUsage(err) {
		usage = cmd.UseLine()
		if cmd.HasSubCommands() && !takesArguments(cmd) {
			usage = cmd.CommandPath() + " COMMAND"
		}
	}
	switch {
	case WantJSON(cmd) || slices.Contains(os.Args, "--json"): // a wrong flag ends the reading of flags
		_ = PrintJSON(root.ErrOrStderr(), failure{Sentence(err), code, usage}) // the exit code says it too
	case usage != "":
		fmt.Fprintf(root.ErrOrStderr(), "%s: %s\nusage: %s; see %s --help\n", root.Name(), Sentence(err), usage,
			cmd.CommandPath())
	default:
		fmt.Fprintf(root.ErrOrStderr(), "%s: %s\n", root.Name(), Sentence(err))
	}
}

// prepare gives a tree of commands the behaviour that all programs share.
func prepare(root *cobra.Command, own []Exit) {
	root.Version = Version()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(newExitCodes(root, exits(own)), newMan(root))
	root.SetHelpCommand(newHelp(root))
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	explainCompletion(root)
	markUsage(root)
}

// markUsage makes errors about arguments and missing flags usage errors, and
// an unknown or missing subcommand as well. Cobra finds missing flags after it
// has called Args, so they are checked there.
func markUsage(cmd *cobra.Command) {
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.Args, cmd.RunE = subcommand, help
	}
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			return Usage(errors.Join(
				superfluous(cmd, check(cmd, args)), cmd.ValidateRequiredFlags(), cmd.ValidateFlagGroups()))
		}
	}
	for _, c := range cmd.Commands() {
		markUsage(c)
	}
}

// flagError is about the command line. Of a subcommand that is not there, cobra
// looks at the flags first, and knows none of them.
func flagError(cmd *cobra.Command, err error) error {
	if args := cmd.Flags().Args(); cmd.HasSubCommands() && !takesArguments(cmd) && len(args) > 0 {
		err = subcommand(cmd, args)
	}
	return usageError{err}
}

// takesArguments reports whether a command has arguments or flags of its own beside its
// subcommands, by its line of usage.
func takesArguments(cmd *cobra.Command) bool { return strings.Contains(cmd.Use, " ") }

// superfluous rewords cobra.NoArgs, which takes an argument for a command, and
// its like, which only count.
func superfluous(cmd *cobra.Command, err error) error {
	if err == nil || cmd.HasSubCommands() {
		return err
	}
	if strings.Contains(err.Error(), " arg(s), ") {
		return errors.New("too few or too many arguments")
	}
	if rest, ok := strings.CutPrefix(err.Error(), "unknown command "); ok {
		argument, _, _ := strings.Cut(rest, " for ")
		return fmt.Errorf("unexpected argument %s", argument)
	}
	return err
}

// subcommand is the argument check of a command that only groups others. The
// program itself may be called without one, and prints its help.
func subcommand(cmd *cobra.Command, args []string) error {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	switch {
	case len(args) == 0 && cmd.HasParent():
		return fmt.Errorf("%s needs a command: %s", cmd.CommandPath(), strings.Join(names, ", "))
	case len(args) == 0:
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2 // letters
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		names = near
	}
	return fmt.Errorf("%s has no command %q: try %s", cmd.CommandPath(), args[0], strings.Join(names, ", "))
}

func help(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// explainCompletion gives cobra's commands examples, as all others have them.
func explainCompletion(root *cobra.Command) {
	name := root.Name()
	how := map[string]string{
		"completion": "  source <(" + name + " completion bash)",
		"bash":       "  " + name + " completion bash > ~/.local/share/bash-completion/completions/" + name,
		"zsh":        "  " + name + " completion zsh > \"${fpath[1]}/_" + name + "\"",
		"fish":       "  " + name + " completion fish > ~/.config/fish/completions/" + name + ".fish",
		"powershell": "  " + name + " completion powershell | Out-String | Invoke-Expression",
	}
	for _, c := range root.Commands() {
		if c.Name() != "completion" {
			continue
		}
		c.Example = how[c.Name()]
		for _, shell := range c.Commands() {
			shell.Example = how[shell.Name()]
		}
	}
}

func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Help about any command",
		Example: "  " + root.Name() + " help exit-codes",
		Args:    cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return Usagef("there is no command %q", strings.Join(args, " "))
			}
			return cmd.Help()
		},
	}
}

// wrap breaks a text between words into lines of at most so many bytes.
func wrap(text string, width int, end string) string {
	var out strings.Builder
	line := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case line+1+len(word) > width:
			out.WriteString(end)
			line = 0
		default:
			out.WriteByte(' ')
			line++
		}
		out.WriteString(word)
		line += len(word)
	}
	return out.String()
}

func newExitCodes(root *cobra.Command, all []Exit) *cobra.Command {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b Exit) int { return a.Code - b.Code })
	var table strings.Builder
	for _, e := range all {
		fmt.Fprintf(&table, "%-4d %s\n", e.Code, wrap(e.Meaning, 74, "\n     "))
	}
	cmd := &cobra.Command{
		Use: "exit-codes", Short: "What the exit codes mean", Long: table.String(), Args: cobra.NoArgs,
		Example: "  " + root.Name() + " exit-codes --json",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if !WantJSON(cmd) {
				_, err = fmt.Fprint(cmd.OutOrStdout(), table.String())
				return err
			}
			for _, e := range all {
				err = errors.Join(err, PrintJSON(cmd.OutOrStdout(), e))
			}
			return err
		},
	}
	jsonFlag(root, cmd)
	return cmd
}

// jsonFlag adds --json to a command of a program whose commands don't all have it.
func jsonFlag(root, cmd *cobra.Command) {
	if root.PersistentFlags().Lookup("json") == nil {
		cmd.Flags().Bool("json", false, "print JSON, one object a line")
	}
}

// usageError marks errors of the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func isUsage(err error) bool {
	var usage usageError
	return errors.As(err, &usage)
}

// Usage makes an error, if there is one, one of the command line.
func Usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

// Usagef is an error of the command line.
func Usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// WantJSON reports whether --json was given.
func WantJSON(cmd *cobra.Command) bool {
	asked, _ := cmd.Flags().GetBool("json")
	return asked
}

// PrintJSON prints one value on one line.
func PrintJSON(w io.Writer, v any) error { return printJSON(w, v, "") }

// PrintDocument prints one value as a JSON document, to be read by people too.
func PrintDocument(w io.Writer, v any) error { return printJSON(w, v, "  ") }

func printJSON(w io.Writer, v any, indent string) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	return enc.Encode(v)
}

// ConfigFlag adds --config, which is required.
func ConfigFlag(cmd *cobra.Command) *string {
	path := cmd.Flags().StringP("config", "c", "", "configuration file (TOML)")
	_ = cmd.MarkFlagRequired("config")         // fails only without such a flag
	_ = cmd.MarkFlagFilename("config", "toml") // so does this
	return path
}
