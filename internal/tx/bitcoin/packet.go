package bitcoin

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

const (
	// MaxPSBT is how many bytes a PSBT may have: no job holds more.
	MaxPSBT = 1 << 20
	// maxUnsigned is how many bytes its transaction may have. Nodes relay none of more than
	// 400,000 weight units, four for a byte outside of witnesses.
	maxUnsigned = 100_000
)

const magic = "psbt\xff"

// packet is a PSBT of version 0, taken apart.
type packet struct {
	global          section
	inputs, outputs []section
	tx              *wire.MsgTx
}

// Inputs counts the inputs of a PSBT's transaction. It reads no further than that, so that
// it costs little to say how much work a job will be.
func Inputs(raw []byte) (int, error) {
	_, global, err := open(raw)
	if err != nil {
		return 0, err
	}
	return countInputs(global)
}

// open reads a PSBT up to the end of the global map, and leaves the rest to read.
func open(raw []byte) (r *reader, global section, err error) {
	r = &reader{b: raw}
	switch {
	case len(raw) > MaxPSBT:
		return nil, nil, fmt.Errorf("it has more than %d bytes", MaxPSBT)
	case string(r.take(uint64(len(magic)))) != magic:
		return nil, nil, errors.New(`it does not begin with "psbt" and 0xff`)
	}
	if global, err = r.section(nil); err != nil {
		return nil, nil, fmt.Errorf("global map: %w", err)
	}
	if v := global.get(globalVersion); len(v) == 4 && binary.LittleEndian.Uint32(v) != 0 {
		return nil, nil, fmt.Errorf("it is of version %d: only version 0 is read, so have the wallet write that",
			binary.LittleEndian.Uint32(v))
	}
	// Only now: to version 0, fields of version 2 are wrong, which says less.
	for i := range global {
		if err := globalShapes[global[i].kind].check(&global[i]); err != nil {
			return nil, nil, fmt.Errorf("global map: %w", err)
		}
	}
	return r, global, nil
}

func countInputs(global section) (int, error) {
	unsigned := global.get(globalUnsignedTx)
	switch n, ok := wellFormed(unsigned, false); {
	case unsigned == nil:
		return 0, errors.New("it has no unsigned transaction")
	case len(unsigned) > maxUnsigned:
		return 0, fmt.Errorf("its transaction has more than %d bytes, which no node relays", maxUnsigned)
	case !ok:
		return 0, errors.New("its unsigned transaction is not a transaction without witnesses")
	case n == 0:
		return 0, errors.New("its transaction has no inputs")
	default:
		return n, nil
	}
}

// parse takes a PSBT apart.
func parse(raw []byte) (*packet, error) {
	r, global, err := open(raw)
	if err != nil {
		return nil, err
	}
	if _, err := countInputs(global); err != nil {
		return nil, err
	}
	p := &packet{global: global, tx: new(wire.MsgTx)}
	if err := p.tx.DeserializeNoWitness(bytes.NewReader(global.get(globalUnsignedTx))); err != nil {
		return nil, fmt.Errorf("its unsigned transaction: %w", err)
	}
	if err := p.checkTx(); err != nil {
		return nil, err
	}
	if p.inputs, err = r.sections(len(p.tx.TxIn), inputShapes, "input"); err != nil {
		return nil, err
	}
	if p.outputs, err = r.sections(len(p.tx.TxOut), outputShapes, "output"); err != nil {
		return nil, err
	}
	if !r.end() {
		return nil, errors.New("it goes on after its last map")
	}
	for i, input := range p.inputs {
		if w := input.get(inFinalWitness); w != nil {
			if _, ok := parseWitness(w); !ok {
				return nil, fmt.Errorf("input %d has a final witness that is none", i)
			}
		}
	}
	return p, nil
}

func (r *reader) sections(n int, shapes map[uint64]shape, name string) ([]section, error) {
	all := make([]section, n)
	for i := range all {
		var err error
		if all[i], err = r.section(shapes); err != nil {
			return nil, fmt.Errorf("map of %s %d: %w", name, i, err)
		}
	}
	return all, nil
}

// checkTx checks what BIP 174 says of the unsigned transaction, and what consensus says of
// every transaction and a digest would be worthless without.
func (p *packet) checkTx() error {
	spent := make(map[wire.OutPoint]int, len(p.tx.TxIn))
	for i, in := range p.tx.TxIn {
		if len(in.SignatureScript) != 0 {
			return fmt.Errorf("input %d of its transaction has a script: it has to be unsigned", i)
		}
		if in.PreviousOutPoint.Hash == (chainhash.Hash{}) {
			return fmt.Errorf("input %d spends no transaction", i)
		}
		if first, twice := spent[in.PreviousOutPoint]; twice {
			return fmt.Errorf("inputs %d and %d spend the same output", first, i)
		}
		spent[in.PreviousOutPoint] = i
	}
	if len(p.tx.TxOut) == 0 {
		return errors.New("its transaction has no outputs")
	}
	var sum total
	for i, out := range p.tx.TxOut {
		if !sum.add(out.Value) {
			return fmt.Errorf("output %d, with those before it, pays more than all bitcoins, or less than none", i)
		}
	}
	return nil
}
