package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// itemLine is one line of the file of frostctl sign.
type itemLine struct {
	Key        string        `json:"key"`
	Message    wire.HexBytes `json:"message"`
	ScriptRoot wire.HexBytes `json:"script_root,omitempty"`
	PublicKey  wire.HexBytes `json:"public_key,omitempty"` // of the key, as keygen gave it
}

// maxLine bounds a line of a keys file or an items file, in bytes. A result
// has at most 4 MiB.
const maxLine = 16 << 20

// readLines hands each line that is not blank to fn.
func readLines(r io.Reader, fn func(line []byte) error) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), maxLine)
	for n := 1; s.Scan(); n++ {
		line := bytes.TrimSpace(s.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := fn(line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return s.Err()
}

// readItems reads items, one JSON object a line.
func readItems(r io.Reader) ([]client.SignItem, error) {
	var items []client.SignItem
	err := readLines(r, func(line []byte) error {
		var it itemLine
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&it); err != nil {
			return err
		}
		if dec.More() {
			return errors.New("more than one JSON value")
		}
		if _, err := wire.ParseKeyID(it.Key); err != nil {
			return err
		}
		items = append(items, client.SignItem{Key: it.Key, Message: it.Message, ScriptRoot: it.ScriptRoot, PublicKey: it.PublicKey})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

// readProofs verifies the lines of a keys file one by one.
func readProofs(r io.Reader, m *client.Manifest, fn func(client.Proof, []client.Key) error) error {
	return readLines(r, func(line []byte) error {
		var p client.Proof
		if err := json.Unmarshal(line, &p); err != nil {
			return fmt.Errorf("not a line of frostctl keygen: %w", err)
		}
		keys, err := p.Verify(m)
		if err != nil {
			return err
		}
		return fn(p, keys)
	})
}
