package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// itemLine is one line of the file of frostctl sign; bytes are hexadecimal.
type itemLine struct {
	Key        string  `json:"key"`
	Path       *string `json:"path"`
	Message    string  `json:"message"`
	ScriptRoot string  `json:"script_root"`
	PublicKey  string  `json:"public_key"` // of the key, as keygen gave it
}

func (it itemLine) item() (client.SignItem, error) {
	item := client.SignItem{Key: it.Key}
	if _, err := wire.ParseKeyID(it.Key); err != nil {
		return item, fmt.Errorf("field \"key\": %w", err)
	}
	if it.Path != nil {
		if _, err := derive.ParsePath(*it.Path); err != nil {
			return item, fmt.Errorf("field \"path\" is %.100q: %w", *it.Path, err)
		}
		item.Path = *it.Path
	}
	for _, f := range []struct {
		name, text string
		to         *[]byte
	}{
		{"message", it.Message, &item.Message},
		{"script_root", it.ScriptRoot, &item.ScriptRoot},
		{"public_key", it.PublicKey, &item.PublicKey},
	} {
		var err error
		if *f.to, err = hex.DecodeString(f.text); err != nil {
			return item, fmt.Errorf("field %q: %w", f.name, err)
		}
	}
	if len(item.Message) == 0 {
		return item, errors.New(`field "message" is missing or empty: there is nothing to sign`)
	}
	return item, nil
}

// maxLine bounds a line of a keys file or an items file, in bytes. A result
// has at most 4 MiB.
const maxLine = 16 << 20

// readLines hands each line that is not blank to fn. A flag named the file, "-"
// is standard input. Errors name the flag, the file and the line.
func readLines(cmd *cobra.Command, flag, path string, fn func(line []byte) error) error {
	in := cmd.InOrStdin()
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("--%s: %w", flag, err)
		}
		defer f.Close()
		in = f
	}
	s := bufio.NewScanner(in)
	s.Buffer(make([]byte, 64<<10), maxLine)
	for n := 1; s.Scan(); n++ {
		line := bytes.TrimSpace(s.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := fn(line); err != nil {
			return fmt.Errorf("--%s %s: line %d: %w", flag, path, n, err)
		}
	}
	err := s.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		err = fmt.Errorf("a line is longer than %d MiB: this is not a file of one JSON object a line", maxLine>>20)
	}
	if err != nil {
		return fmt.Errorf("--%s %s: %w", flag, path, err)
	}
	return nil
}

// decodeStrict reads one JSON object that has no fields but those of v, and no null.
func decodeStrict(line []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return noNull(line)
}

// noNull refuses fields of an object that are null: who wrote one may have meant anything.
func noNull(object []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if string(fields[name]) == "null" {
			return fmt.Errorf("field %q is null: give it a value, or leave it out", name)
		}
	}
	return nil
}

// readItems reads items, one JSON object a line.
func readItems(cmd *cobra.Command, path string) ([]client.SignItem, error) {
	var items []client.SignItem
	err := readLines(cmd, "file", path, func(line []byte) error {
		var it itemLine
		if err := decodeStrict(line, &it); err != nil {
			return err
		}
		item, err := it.item()
		items = append(items, item)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case len(items) == 0:
		return nil, fmt.Errorf("--file %s: there is nothing to sign in it", path)
	}
	return items, nil
}

// readProofs verifies the lines of a keys file one by one.
func readProofs(cmd *cobra.Command, path string, m *client.Manifest, fn func(client.Proof, []client.Key) error) error {
	return readLines(cmd, "keys", path, func(line []byte) error {
		p, keys, err := verifyProof(line, m)
		if err != nil {
			return err
		}
		return fn(p, keys)
	})
}

// verifyProof reads and verifies one line of a keys file.
func verifyProof(line []byte, m *client.Manifest) (p client.Proof, keys []client.Key, err error) {
	if err := json.Unmarshal(line, &p); err != nil {
		return p, nil, fmt.Errorf("not a line of frostctl keygen: %w", err)
	}
	keys, err = p.Verify(m)
	return p, keys, err
}
