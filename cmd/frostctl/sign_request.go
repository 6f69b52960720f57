package main

import (
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/reading"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// requestOptions are the flags of what has a PSBT, a transaction or a message signed.
type requestOptions struct {
	named    []string // keys
	keys     string   // file
	partial  bool
	finalize bool
	replaces string
	job      string // file to save the job to
	saveOnly bool
	out      string
	life     time.Duration
	timeout  time.Duration
	approve  time.Duration // how long the job may wait for approvals; 0: it has an expiry
	after    time.Duration // from the last one to its expiry
	wait     bool          // until it is signed
}

func (o *requestOptions) flags(cmd *cobra.Command, about string) {
	f := cmd.Flags()
	f.StringSliceVar(&o.named, "key", nil, about)
	f.StringVar(&o.keys, "keys", defaultKeys, "the file of frostctl keygen that has the keys; - is standard input")
	f.StringVar(&o.job, "job", "", "save the job to this new file before it is published (frostctl approve, jobs publish)")
	f.BoolVar(&o.saveOnly, "save-only", false, "with --job: publish nothing")
	f.DurationVar(&o.life, "expires", 0, "until when the fleet may work on the job, at most 1h (default 30m, with --save-only 1h)")
	f.DurationVar(&o.timeout, "timeout", 0, "give up after this long (default: when the job expires)")
	f.DurationVar(&o.approve, "approve-within", 0, "have the fleet keep the job while people approve it, at most 168h; then it has no --expires")
	f.DurationVar(&o.after, "sign-within", 10*time.Minute, "with --approve-within: until when the fleet may sign it, from the last approval on, at most 1h")
	o.waitFlag(cmd)
	addConfigFlag(cmd)
}

func (o *requestOptions) waitFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.wait, "wait", false, "also while the job waits for approvals (otherwise: exit code 6)")
}

func (o *requestOptions) outFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.out, "out", "o", "", "write the result to this file, too")
}

// check finds what is wrong with the flags together.
func (o *requestOptions) check(cmd *cobra.Command, file string) error {
	switch {
	case o.saveOnly && o.job == "":
		return usagef("--save-only goes with --job FILE: there would be nothing left of the job")
	case cmd.Flags().Changed("expires") && (o.life <= 0 || o.life > wire.MaxJobLife):
		return usagef("--expires %v: want more than 0s and at most %v", o.life, wire.MaxJobLife)
	case cmd.Flags().Changed("approve-within") && (o.approve < time.Second || o.approve > client.MaxWait):
		return usagef("--approve-within %v: want 1s to %v", o.approve, client.MaxWait)
	case o.approve != 0 && o.life != 0:
		return usagef("--approve-within and --expires: a job has one of them")
	case o.approve == 0 && cmd.Flags().Changed("sign-within"):
		return usagef("--sign-within goes with --approve-within")
	case o.approve != 0 && (o.after < time.Second || o.after > client.MaxAfter || o.after%time.Second != 0):
		return usagef("--sign-within %v: want whole seconds, at most %v", o.after, client.MaxAfter)
	case o.saveOnly && (o.out != "" || cmd.Flags().Changed("timeout")):
		return usagef("--save-only publishes nothing: there is nothing to wait for or to write with --out")
	case file == "-" && o.keys == "-":
		return usagef("FILE - and --keys -: standard input can be only one of them")
	case o.replaces != "" && !wire.IsJobID(o.replaces):
		return usagef("--replaces %.64q is not the id of a job, which is a UUID", o.replaces)
	}
	return nil
}

// expiry is when the job expires; zero: the client decides.
func (o *requestOptions) expiry() time.Time {
	life := o.life
	if life == 0 && o.saveOnly && o.approve == 0 {
		life = wire.MaxJobLife // approvers take their time
	}
	if life == 0 {
		return time.Time{}
	}
	return time.Now().Add(life).Truncate(time.Second)
}

// waits is what the job waits for, if it does.
func (o *requestOptions) waits() client.Wait {
	if o.approve == 0 {
		return client.Wait{}
	}
	return client.Wait{Until: time.Now().Add(o.approve).Truncate(time.Second), After: o.after}
}

// signers are the keys of the command line; paths are those of children.
func (o *requestOptions) signers(paths bool) (ids, below []string, err error) {
	for _, text := range o.named {
		s, err := parseSigner(text)
		if err != nil {
			return nil, nil, err
		}
		if s.path != "" && !paths {
			return nil, nil, usagef("--key %.100q: without a path, a PSBT says which children its inputs are of", text)
		}
		ids, below = append(ids, s.key), append(below, s.path)
	}
	return ids, below, nil
}

// run has a job signed that make makes for a client's fleet, and hands the result to show.
func (o *requestOptions) run(cmd *cobra.Command, make func(*client.Manifest) (*client.SignJob, error),
	show func(*client.Signed) error) error {
	cfg, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	job, err := make(cfg.Manifest)
	if err != nil {
		return err
	}
	if !wantJSON(cmd) {
		if err := renderJob(cmd.ErrOrStderr(), cfg.Manifest, job); err != nil {
			return err
		}
	}
	if o.job != "" {
		if err := createSignFile(o.job, cfg.Manifest, cfg.Name, job); err != nil {
			return err
		}
	}
	if o.saveOnly {
		return say(cmd, savedJobLine{job.ID, o.job, job.Expires}, "job %s is saved in %s, and expires at %s\n", job.ID, o.job,
			job.Expires.Format(time.RFC3339))
	}
	return o.publish(cmd, cfg, job, show)
}

// savedJobLine is the output with --json of a job that is not published.
type savedJobLine struct {
	Job     string    `json:"job"`
	File    string    `json:"file"`
	Expires time.Time `json:"expires"`
}

// publish publishes a job, waits for its result, and shows it.
func (o *requestOptions) publish(cmd *cobra.Command, cfg client.Config, job *client.SignJob,
	show func(*client.Signed) error) error {
	c, done, err := dial(cmd, cfg)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := withTimeout(cmd.Context(), o.timeout)
	defer cancel()
	if o.wait {
		job.OnPending = func(message string) { note(cmd, "job %s waits for approvals: %s", job.ID, printable(message)) }
	}
	signed, err := c.SignJob(ctx, job)
	if err != nil {
		return late(err)
	}
	return show(signed)
}

// signedLine is the output with --json of what came of a request.
type signedLine struct {
	Job         string                `json:"job"`
	PSBT        wire.Base64           `json:"psbt,omitempty"`
	Transaction string                `json:"transaction,omitempty"` // bitcoin: hexadecimal; solana: base64
	Message     wire.Base64           `json:"message_signature,omitempty"`
	Signatures  []placedSignature     `json:"signatures"`
	Refused     []reading.RefusedPart `json:"refused"`
}

// placedSignature is a signature, and the number of the input or signer that it is for.
type placedSignature struct {
	At        int           `json:"at"`
	Key       string        `json:"key"`
	Path      string        `json:"path,omitempty"`
	PublicKey wire.HexBytes `json:"public_key"` // verifies the signature
	Signature wire.HexBytes `json:"signature"`
}

// showSigned prints what came of a request, and writes it to a file if there is one.
func (r request) showSigned(cmd *cobra.Command, out string, s *client.Signed) error {
	for _, f := range s.Refused {
		note(cmd, "input %d is not signed: %s: %s", f.At, f.Code, f.Message)
	}
	if r.kind == intent.PSBT && s.Transaction == nil && !wantJSON(cmd) {
		note(cmd, "this is a PSBT: it takes finalizing (--finalize), or signatures of others, before it can be broadcast")
	}
	line := signedLine{Job: s.Job, PSBT: s.PSBT, Message: s.MessageSignature,
		Signatures: each(s.Signatures, func(i client.InputSignature) placedSignature {
			return placedSignature{i.At, i.Key, i.Path, i.PublicKey, i.Signature}
		}),
		Refused: each(s.Refused, func(f client.RefusedInput) reading.RefusedPart {
			return reading.RefusedPart{Code: string(f.Code), At: f.At, Reason: f.Message}
		}),
	}
	if s.Transaction != nil {
		line.Transaction = r.text(s)
	}
	var err error
	if out != "" {
		err = r.save(out, s)
	}
	return errors.Join(err, say(cmd, line, "%s\n", r.text(s)))
}

// renderJob shows what a job means.
func renderJob(w io.Writer, m *client.Manifest, job *client.SignJob) error {
	in, roots := job.Reading()
	return reading.Request{Intent: in, Network: m.Network, Roots: roots, Replaces: job.Replaces}.WriteText(w)
}
