package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/tx"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// request is a PSBT or a transaction as a file has it.
type request struct {
	kind    intent.Kind
	content []byte
	binary  bool // the file was not base64
}

func (r request) chain() string {
	if r.kind == intent.PSBT {
		return wire.Bitcoin
	}
	return wire.Solana
}

// magicPSBT is what every PSBT begins with (BIP 174).
const magicPSBT = "psbt\xff"

// parseRequest reads what wallets write: a PSBT in binary or base64, or a Solana transaction
// in base64.
func parseRequest(data []byte) (request, error) {
	if bytes.HasPrefix(data, []byte(magicPSBT)) {
		return request{intent.PSBT, data, true}, nil
	}
	// Wallets and mail break lines.
	text := strings.Join(strings.Fields(string(data)), "")
	content, err := base64.StdEncoding.Strict().DecodeString(text)
	switch {
	case err == nil && bytes.HasPrefix(content, []byte(magicPSBT)):
		return request{intent.PSBT, content, false}, nil
	case err == nil && tx.Size(intent.SolanaTransaction, content) > 0:
		return request{intent.SolanaTransaction, content, false}, nil
	}
	return request{}, errors.New("neither a PSBT, in binary or base64, nor a Solana transaction in base64")
}

// readInput reads a file that is an argument; "-" is standard input.
func readInput(cmd *cobra.Command, path string) (data []byte, err error) {
	if path != "-" {
		data, err = readFile(path, maxRequest)
	} else if data, err = io.ReadAll(io.LimitReader(cmd.InOrStdin(), maxRequest+1)); err == nil && len(data) > maxRequest {
		err = fmt.Errorf("larger than %d KiB", maxRequest>>10)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return data, nil
}

// maxRequest bounds a file with a PSBT or a transaction, in bytes: in base64, with line ends, of
// the largest that a job holds.
const maxRequest = 2 * wire.MaxJobSize

// readRequest reads a PSBT or a transaction from a file, which must have one of a kind.
func readRequest(cmd *cobra.Command, path string, want intent.Kind) (r request, err error) {
	data, err := readInput(cmd, path)
	if err != nil {
		return r, err
	}
	if r, err = parseRequest(data); err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	if want != "" && r.kind != want {
		use := "psbt"
		if r.kind == intent.SolanaTransaction {
			use = "transaction"
		}
		return r, fmt.Errorf("%s has a %s: use frostctl sign %s", path, r.kind, use)
	}
	return r, nil
}

// job is the request's job under keys. Children of solana keys sign where paths lead, of
// which there may be fewer than keys.
func (r request) job(m *client.Manifest, o *requestOptions, keys []client.Key, paths []string) (*client.SignJob, error) {
	if r.kind == intent.PSBT {
		return client.SignPSBTRequest{PSBT: r.content, Keys: keys, Partial: o.partial, Finalize: o.finalize,
			Replaces: o.replaces, Expires: o.expiry(), Wait: o.waits()}.Job(m)
	}
	req := client.SignSolanaRequest{Transaction: r.content, Expires: o.expiry(), Wait: o.waits()}
	for i, k := range keys {
		s := client.Signer{Key: k}
		if i < len(paths) {
			s.Path = paths[i]
		}
		req.Signers = append(req.Signers, s)
	}
	return req.Job(m)
}

// save writes what came of a request to a file: a transaction as nodes of the network take
// it, or the PSBT as it came.
func (r request) save(path string, s *client.Signed) error {
	text := r.text(s) + "\n"
	if r.kind == intent.PSBT && s.Transaction == nil && r.binary {
		text = string(s.PSBT)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	return nil
}

// text is what came of a request, in one line.
func (r request) text(s *client.Signed) string {
	switch {
	case r.kind == intent.PSBT && s.Transaction != nil:
		return fmt.Sprintf("%x", s.Transaction)
	case r.kind == intent.PSBT:
		return base64.StdEncoding.EncodeToString(s.PSBT)
	case r.kind == intent.SolanaTransaction:
		return base64.StdEncoding.EncodeToString(s.Transaction)
	}
	return base64.StdEncoding.EncodeToString(s.MessageSignature)
}
