package mutations_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
)

// A parser of PSBTs and of transactions that knows nothing but their form (BIP 174, BIP 144).

type field struct{ key, value []byte }

type section []field

// get is the value of a key; nil if there is none.
func (s section) get(key ...byte) []byte {
	i := slices.IndexFunc(s, func(f field) bool { return bytes.Equal(f.key, key) })
	if i < 0 {
		return nil
	}
	return s[i].value
}

// set changes the value of a key that is there.
func (s section) set(key byte, value []byte) {
	s[slices.IndexFunc(s, func(f field) bool { return bytes.Equal(f.key, []byte{key}) })].value = value
}

type packet struct {
	global          section
	inputs, outputs []section
	tx              *transaction
}

type transaction struct {
	version, lock uint32
	ins           []input
	outs          []outputOf
}

type input struct {
	previous [36]byte // txid and number
	script   []byte
	sequence uint32
	witness  [][]byte
}

type outputOf struct {
	value  int64
	script []byte
}

// reader takes bytes off a slice. After an error there are none.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) uint(n uint64) (v uint64) {
	for i, b := range r.take(n) {
		v |= uint64(b) << (8 * i)
	}
	return v
}

// size reads a compact size.
func (r *reader) size() uint64 {
	switch n := r.uint(1); n {
	case 0xfd:
		return r.uint(2)
	case 0xfe:
		return r.uint(4)
	case 0xff:
		return r.uint(8)
	default:
		return n
	}
}

func (r *reader) blob() []byte { return r.take(r.size()) }

var errForm = errors.New("no PSBT, or no transaction")

func parseTransaction(raw []byte) (*transaction, error) {
	r := &reader{b: raw}
	tx := &transaction{version: uint32(r.uint(4))}
	witness := len(r.b) > 1 && r.b[0] == 0 && r.b[1] == 1
	if witness {
		r.take(2)
	}
	for range r.size() {
		in := input{previous: [36]byte(append(r.take(36), make([]byte, 36)...)), script: r.blob()}
		in.sequence = uint32(r.uint(4))
		if tx.ins = append(tx.ins, in); r.bad {
			return nil, errForm
		}
	}
	for range r.size() {
		if tx.outs = append(tx.outs, outputOf{int64(r.uint(8)), r.blob()}); r.bad {
			return nil, errForm
		}
	}
	for i := range tx.ins {
		for n := uint64(0); witness && n == 0; n++ {
			for range r.size() {
				if tx.ins[i].witness = append(tx.ins[i].witness, r.blob()); r.bad {
					return nil, errForm
				}
			}
		}
	}
	tx.lock = uint32(r.uint(4))
	if r.bad || len(r.b) > 0 {
		return nil, errForm
	}
	return tx, nil
}

func appendSize(b []byte, n int) []byte {
	switch {
	case n < 0xfd:
		return append(b, byte(n))
	case n < 1<<16:
		return binary.LittleEndian.AppendUint16(append(b, 0xfd), uint16(n))
	}
	return binary.LittleEndian.AppendUint32(append(b, 0xfe), uint32(n))
}

func appendBlob(b, blob []byte) []byte { return append(appendSize(b, len(blob)), blob...) }

// bytes is the transaction without witnesses.
func (tx *transaction) bytes() []byte {
	b := appendSize(binary.LittleEndian.AppendUint32(nil, tx.version), len(tx.ins))
	for _, in := range tx.ins {
		b = binary.LittleEndian.AppendUint32(appendBlob(append(b, in.previous[:]...), in.script), in.sequence)
	}
	b = appendSize(b, len(tx.outs))
	for _, out := range tx.outs {
		b = appendBlob(binary.LittleEndian.AppendUint64(b, uint64(out.value)), out.script)
	}
	return binary.LittleEndian.AppendUint32(b, tx.lock)
}

func (tx *transaction) id() [32]byte {
	once := sha256.Sum256(tx.bytes())
	return sha256.Sum256(once[:])
}

const magic = "psbt\xff"

func (r *reader) section() (s section) {
	for !r.bad {
		key := r.blob()
		if len(key) == 0 {
			return s
		}
		s = append(s, field{key, r.blob()})
	}
	return nil
}

func parsePacket(raw []byte) (*packet, error) {
	rest, ok := bytes.CutPrefix(raw, []byte(magic))
	if !ok {
		return nil, errForm
	}
	r := &reader{b: rest}
	p := &packet{global: r.section()}
	var err error
	if p.tx, err = parseTransaction(p.global.get(0)); err != nil {
		return nil, err
	}
	for range p.tx.ins {
		p.inputs = append(p.inputs, r.section())
	}
	for range p.tx.outs {
		p.outputs = append(p.outputs, r.section())
	}
	if r.bad || len(r.b) > 0 {
		return nil, errForm
	}
	return p, nil
}

func (p *packet) bytes() []byte {
	b := []byte(magic)
	for _, s := range slices.Concat([]section{p.global}, p.inputs, p.outputs) {
		for _, f := range s {
			b = appendBlob(appendBlob(b, f.key), f.value)
		}
		b = append(b, 0)
	}
	return b
}

// spent is the output that an input spends, as its map says.
func (p *packet) spent(i int) (outputOf, bool) {
	if utxo := p.inputs[i].get(1); utxo != nil {
		r := &reader{b: utxo}
		out := outputOf{int64(r.uint(8)), r.blob()}
		return out, !r.bad && len(r.b) == 0
	}
	from := p.tx.ins[i].previous
	before, err := parseTransaction(p.inputs[i].get(0))
	if err != nil {
		return outputOf{}, false
	}
	id, at := before.id(), binary.LittleEndian.Uint32(from[32:])
	if !bytes.Equal(id[:], from[:32]) || uint64(at) >= uint64(len(before.outs)) {
		return outputOf{}, false
	}
	return before.outs[at], true
}
