package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/httpclient"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// gatewayResults fetches and prints the stored results of jobs over HTTP.
func gatewayResults(cmd *cobra.Command, ids []string) error {
	there, err := hasGateway(cmd)
	if err != nil {
		return err
	}
	if !there {
		return usagef("name the file that has the job, --jobs FILE of keygen or --payload FILE, or a gateway that has its " +
			"result ([http] of client.toml)")
	}
	c, err := openGateway(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	var reader *jobReader // nil: there is nothing to check with
	if _, err := configPath(cmd); err == nil {
		if reader, err = newJobReader(cmd); err != nil {
			return err
		}
	}
	for _, id := range ids {
		if cmd.Context().Err() != nil {
			return errors.Join(err, cmd.Context().Err())
		}
		err = errors.Join(err, gatewayResult(cmd, c, reader, id))
	}
	if reader == nil {
		believed(cmd, c, "client.toml names the access list, which shows whether a gateway of the fleet signed it")
	}
	return err
}

func gatewayResult(cmd *cobra.Command, c *httpclient.Client, reader *jobReader, id string) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), resultTime)
	defer cancel()
	payload, gateway, signature, err := c.Result(ctx, id)
	if httpclient.Is(err, "not_found") {
		return fmt.Errorf("job %s: %w: %w", id, client.ErrNoResult, err)
	}
	if err != nil {
		return err
	}
	var r wire.Result
	if err := json.Unmarshal(payload, &r); err != nil {
		return fmt.Errorf("job %s: its result can't be read: %w", id, err)
	}
	if reader != nil {
		if err := reader.verify(r.Client, id, payload, gateway, signature); err != nil {
			return fmt.Errorf("%w: job %s: %w", errUnproven, id, err)
		}
	}
	if r.Job != id {
		return fmt.Errorf("%w: a result of another job than %s", errUnproven, id)
	}
	return errors.Join(show(cmd, json.RawMessage(payload), func(w io.Writer) error { return writeResult(w, &r) }),
		ending(r.Status, client.JobError{Job: id, Code: client.Code(r.Code), Message: harmless(r.Error), Gateway: gateway}))
}

// verify checks that one of the fleet's gateways signed a result.
func (r *jobReader) verify(owner, id string, payload []byte, gateway, signature string) error {
	raw, err := hex.DecodeString(signature)
	if err != nil {
		return fmt.Errorf("its signature: %w", err)
	}
	return r.access.VerifyResult(r.manifest, gateway, owner, id, payload, raw)
}

// writeResult writes what a result has for people, as keygen and sign do.
func writeResult(w io.Writer, r *wire.Result) error {
	var out bytes.Buffer
	for _, k := range r.Keys {
		fmt.Fprintf(&out, "%s\t%s\n", harmless(k.ID), harmless(k.Address))
	}
	for _, s := range r.Sigs {
		if s.Code == "" {
			fmt.Fprintf(&out, "%s\t%x\n", harmless(s.Key), []byte(s.Signature))
		} else {
			fmt.Fprintf(&out, "%s\t%s: %s\n", harmless(s.Key), harmless(string(s.Code)), harmless(s.Error))
		}
	}
	_, err := w.Write(out.Bytes())
	return err
}

// ending is the error of a job that did not end well.
func ending(status wire.Status, e client.JobError) error {
	switch status {
	case wire.StatusDone:
		return nil
	case wire.StatusPartial:
		if e.Code == "" {
			e.Code, e.Message = "partial", "some of its items were refused"
		}
	case wire.StatusDenied:
		return &client.DeniedError{JobError: e}
	}
	return &e
}
