package exit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

const format = "frostfleet-exit"

// headLine and keyLine are the lines of a file.
type headLine struct {
	Format   string        `json:"format"`
	Version  int           `json:"version"`
	Fleet    string        `json:"fleet"`
	Network  string        `json:"network"`
	Manifest wire.HexBytes `json:"manifest"`
	Node     int           `json:"node"`
	N        int           `json:"n"`
	T        int           `json:"t"`
	Keys     int           `json:"keys"`
}

type keyLine struct {
	ID          string        `json:"id"`
	Owner       string        `json:"client"`
	Suite       string        `json:"suite"`
	Generation  int           `json:"generation"`
	PublicKey   wire.HexBytes `json:"public_key"`
	ChainCode   wire.HexBytes `json:"chain_code"`
	Commitments wire.HexBytes `json:"commitments"`
}

var suites = []frost.Suite{frost.Secp256k1TR, frost.Ed25519}

// encode is what is encrypted. The caller wipes it.
func (f *File) encode() (*secret.Bytes, error) {
	if err := f.validate(); err != nil {
		return nil, err
	}
	lines := appendLine(nil, headLine{
		format, Version, f.Fleet, f.Network, f.Manifest[:], f.Node, f.N, f.T, len(f.Keys),
	})
	for _, k := range f.Keys {
		lines = appendLine(lines, keyLine{
			k.ID, k.Owner, k.Suite.String(), k.Generation, k.PublicKey, k.ChainCode[:], k.Commitments,
		})
		if len(lines)+len(f.Shares.Expose()) > maxPlain {
			return nil, ErrSize
		}
	}
	all := make([]byte, 0, len(lines)+len(f.Shares.Expose())) // shares are copied once
	return secret.New(append(append(all, lines...), f.Shares.Expose()...)), nil
}

func appendLine(dst []byte, line any) []byte {
	text, err := json.Marshal(line)
	if err != nil {
		panic("exit: " + err.Error()) // of the types alone
	}
	return append(append(dst, text...), '\n')
}

// decode reads what encode made. The result's shares are a part of plain.
func decode(plain []byte) (*File, error) {
	var h headLine
	rest, err := cutLine(plain, maxHead, &h, func(line []byte) error {
		var peek struct {
			Format  string `json:"format"`
			Version int    `json:"version"`
		}
		if err := json.Unmarshal(line, &peek); err != nil || peek.Format != format {
			return errors.New("its first line is of something else")
		}
		if peek.Version != Version {
			return fmt.Errorf("%w: its format is %d, and this program reads %d", ErrVersion, peek.Version, Version)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if h.Keys < 1 || h.Keys > MaxKeys || len(h.Manifest) != 32 {
		return nil, fmt.Errorf("%w: %d keys, manifest of %d bytes", ErrFormat, h.Keys, len(h.Manifest))
	}
	f := &File{Head: Head{h.Fleet, h.Network, [32]byte(h.Manifest), h.Node, h.N, h.T}}
	for range h.Keys {
		var k keyLine
		if rest, err = cutLine(rest, maxLine, &k, nil); err != nil {
			return nil, err
		}
		at := slices.IndexFunc(suites, func(s frost.Suite) bool { return s.String() == k.Suite })
		if at < 0 || len(k.ChainCode) != 32 {
			return nil, fmt.Errorf("%w: key %d: suite %.20q, chain code of %d bytes", ErrFormat, len(f.Keys)+1, k.Suite,
				len(k.ChainCode))
		}
		f.Keys = append(f.Keys, Key{
			k.ID, k.Owner, suites[at], k.Generation, k.PublicKey, [32]byte(k.ChainCode), k.Commitments,
		})
	}
	f.Shares = secret.New(rest)
	if err := f.validate(); err != nil {
		return nil, err
	}
	return f, nil
}

// cutLine reads one line into v, and returns what comes after it.
func cutLine(text []byte, most int, v any, check func([]byte) error) (rest []byte, err error) {
	end := bytes.IndexByte(text[:min(len(text), most)], '\n')
	if end < 0 {
		return nil, fmt.Errorf("%w: a line is missing, or too long", ErrFormat)
	}
	line := text[:end]
	if check != nil {
		if err := check(line); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
	}
	in := json.NewDecoder(bytes.NewReader(line))
	in.DisallowUnknownFields()
	if err := in.Decode(v); err != nil || in.InputOffset() != int64(end) {
		return nil, fmt.Errorf("%w: a line is not in form", ErrFormat) // what is in it is not repeated
	}
	return text[end+1:], nil
}
